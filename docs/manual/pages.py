"""What the manual's pages need to become a site.

They are written to be read in the repository: links lead to files of it, one page
lies outside of docs/, and compiled examples may have lines that only rustdoc
hides. MkDocs calls the functions below.
"""

import logging
import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[2]
# Pages outside of docs/, and where they are in the site.
OUTSIDE = ["ARCHITECTURE.md"]

log = logging.getLogger("mkdocs.hooks.pages")
CODE = re.compile(r"^(```+)(\w*)([^\n]*)\n.*?^\1$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")


def on_files(files, config):
    """Adds the pages from outside of docs/."""
    for name in OUTSIDE:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Turns links to files of the repository into links of the site, or into text."""
    source = page.file.src_uri
    here = "." if source in OUTSIDE else posixpath.join("docs", posixpath.dirname(source))

    def relink(match):
        text, target, anchor = match[1], match[2], match[3] or ""
        if re.match(r"[a-z]+:", target):
            return match[0]
        path = posixpath.normpath(posixpath.join(here, target))
        inside = path.removeprefix("docs/")
        if inside in OUTSIDE or path.startswith("docs/"):
            relative = posixpath.relpath(inside, posixpath.dirname(source) or ".")
            return f"[{text}]({relative}{anchor})"
        if not (ROOT / path).exists():
            log.warning("%s: no file %s", source, path)
        # Sources are in the repository and not in the site.
        return text

    def outside_code(text):
        return LINK.sub(relink, text)

    result, end = [], 0
    for block in CODE.finditer(markdown):
        result.append(outside_code(markdown[end : block.start()]))
        result.append(for_readers(block))
        end = block.end()
    result.append(outside_code(markdown[end:]))
    return "".join(result)


def for_readers(block):
    """Takes out what is for rustdoc: its words beside `rust`, and hidden lines."""
    if block[2] != "rust":
        return block[0]
    return re.sub(r"^# .*\n", "", block[0].replace(block[3], "", 1), flags=re.MULTILINE)
