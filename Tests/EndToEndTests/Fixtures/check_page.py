"""Reads a page from standard input as html.parser does, and prints what is wrong with it, and its texts, as JSON."""

import base64
import hashlib
import json
import re
import sys
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "img", "input", "hr"}
TAGS = set(
    "html head meta title style body header main section h1 h2 p time code div dl dt dd figure figcaption span b svg rect details summary"
    " table caption thead tbody tfoot tr th td small script a".split())


class Page(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.faults, self.open, self.texts, self.inline = [], [], [], []
        self.policy, self.data, self.ids, self.references = "", "", set(), set()

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag not in TAGS:
            self.faults.append(f"unexpected <{tag}>")
        for name, value in attributes.items():
            # To another place of the page.
            if (tag, name) == ("a", "href") and re.fullmatch("#[a-z0-9-]+", value or ""):
                self.references.add(value[1:])
            elif name.startswith("on") or name in ("style", "href", "src", "srcset", "action", "xlink:href", "srcdoc"):
                self.faults.append(f"<{tag} {name}>")
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy":
            self.policy = attributes["content"]
        if tag == "svg" and not (attributes.get("role") == "img" and attributes.get("aria-label")):
            self.faults.append("a picture without a name")
        if tag == "th" and "scope" not in attributes:
            self.faults.append("<th> without a scope")
        if "id" in attributes:
            if attributes["id"] in self.ids:
                self.faults.append(f"two of {attributes['id']}")
            self.ids.add(attributes["id"])
        if "aria-labelledby" in attributes:
            self.references.add(attributes["aria-labelledby"])
        if tag == "table":
            self.wants_caption = True
        elif getattr(self, "wants_caption", False):
            if tag != "caption":
                self.faults.append("a table without a caption")
            self.wants_caption = False
        if tag not in VOID:
            self.open.append((tag, attributes))

    def handle_endtag(self, tag):
        if not self.open or self.open[-1][0] != tag:
            self.faults.append(f"</{tag}> closes {[t for t, _ in self.open[-3:]]}")
        else:
            self.open.pop()

    def handle_comment(self, _):
        self.faults.append("a comment")

    def handle_data(self, text):
        tag, attributes = self.open[-1] if self.open else ("", {})
        if tag == "script" and attributes.get("type") == "application/json":
            self.data += text
        elif tag in ("script", "style"):
            self.inline.append((tag, text))
        else:
            self.texts.append(text)


page = Page()
page.feed(sys.stdin.buffer.read().decode())
page.close()
page.faults += [f"<{tag}> is never closed" for tag, _ in page.open]
page.faults += [f"no {name}" for name in page.references - page.ids]
if [tag for tag, _ in page.inline] != ["style", "script"]:
    page.faults.append("not one style and one script")
for tag, text in page.inline:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    if f"{tag}-src 'sha256-{digest}'" not in page.policy:
        page.faults.append(f"the policy does not name the {tag}")
if not page.policy.startswith("default-src 'none'; ") or "unsafe" in page.policy or re.search(r"https?:", page.policy):
    page.faults.append("the policy is not strict")
json.dump({"faults": page.faults, "texts": page.texts, "data": json.loads(page.data)}, sys.stdout)
