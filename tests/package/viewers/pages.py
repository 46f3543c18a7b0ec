"""What a page is looked at with: the standard library's reader, which knows no mercy for a tag left open."""

from html.parser import HTMLParser

VOID = {"meta", "br", "input", "link", "img"}


class Reader(HTMLParser):
    """Tags in order, text without styles, and what could run or fetch something."""

    def __init__(self, page: str):
        super().__init__()
        self.open, self.text, self.dangers, self.tags, self.scripts = [], "", [], [], 0
        self.feed(page)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.scripts += tag == "script"
        for name, value in attrs:
            if name.startswith("on") or "javascript:" in (value or "").lower():
                self.dangers.append((tag, name, value))
            if name in ("src", "srcset", "data", "action") or (tag == "link" and name == "href"):
                self.dangers.append((tag, name, value))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        expected = self.open.pop()
        assert tag == expected, f"</{tag}> where </{expected}> was expected"

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.text += data
