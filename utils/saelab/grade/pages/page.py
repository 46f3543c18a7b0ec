"""The frame of a self-contained HTML page: no script, nothing fetched, light and dark, fit for phones and paper."""

from .labels import escaped

POLICY = "default-src 'none'; style-src 'unsafe-inline'"  # should anything slip through, the browser won't run it
COLOURS = """
:root { color-scheme: light dark; --page: #fbfaf7; --card: #ffffff; --ink: #1d2126; --soft: #5c6570; --line: #dcd9d2;
  --good: #14695a; --good-soft: #d9ece6; --bad: #a8431b; --bad-soft: #f8e4d9; --look: #7a4b9a; --look-soft: #ece1f3;
  --none: #5f646b; --none-soft: #ecebe7; --link: #1f5fa8; --bar: #2f6fb0; --code: #f3f1ec; }
@media (prefers-color-scheme: dark) {
  :root { --page: #15181c; --card: #1d2126; --ink: #e8e6e1; --soft: #a3abb5; --line: #363c44;
    --good: #6fcdb4; --good-soft: #17382f; --bad: #f0a27c; --bad-soft: #43281b; --look: #cda6e6; --look-soft: #382747;
    --none: #a3a9b1; --none-soft: #2a2f35; --link: #8bbcf0; --bar: #5b9bd9; --code: #16191d; } }
@media print { :root { --page: #ffffff; } }
"""
STYLE = """
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .4rem; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .7rem; }
h3 { font-size: 1rem; margin: 0; line-height: 1.35; }
p { margin: .4rem 0; }
a { color: var(--link); }
code, pre { font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .875em; }
.soft { color: var(--soft); }
.small { font-size: .875rem; }
.passed { --tone: var(--good); --tint: var(--good-soft); }
.failed, .error { --tone: var(--bad); --tint: var(--bad-soft); }
.timeout, .not-run { --tone: var(--look); --tint: var(--look-soft); }
.missing { --tone: var(--none); --tint: var(--none-soft); }
footer { margin-top: 3rem; padding-top: .8rem; border-top: 1px solid var(--line); color: var(--soft);
  font-size: .875rem; }
"""


def page(title: str, body: str, style: str) -> str:
    """The whole page; `title` is text, `body` is HTML, `style` comes after the common one."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<title>{escaped(title)}</title>
<style>{COLOURS}{STYLE}{style}</style>
</head>
<body>
{body}
</body>
</html>
"""
