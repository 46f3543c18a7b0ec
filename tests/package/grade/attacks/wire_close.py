"""Closes its socket and goes on."""
# ruff: noqa

# %% exercise="double"
# <wire>


def double(x):
    line().shutdown(socket.SHUT_RDWR)
    os.close(line().fileno())
    while True:
        time.sleep(1000)
