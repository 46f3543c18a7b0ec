"""A callable whose descriptors, attributes and signature lie."""
# ruff: noqa


# %% exercise="double"
class Lies:
    __signature__ = property(lambda self: (_ for _ in ()).throw(KeyboardInterrupt()))
    __name__ = property(lambda self: "double")

    def __getattr__(self, name):
        return Lies()

    def __get__(self, *_):
        return self

    def __call__(self, *args, **kwargs):
        return args[0]


double = Lies()
