# SPDX-License-Identifier: Apache-2.0
"""What README, docs and the READMEs of folders name is there: files in backticks and links. HEDGE_SOURCE is the checkout."""
import glob
import os
import re
import unittest

SOURCE = os.environ["HEDGE_SOURCE"]
# A file with its folder; `a/b.{h,cpp}` and `*` stand for several.
NAMED = re.compile(r"`((?:[\w.-]+/)+[\w.{},*-]+\.(?:h|cpp|cuh?|py|proto|cmake|txt|json|\{[\w,]+\}))`")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
# Of the user or of others.
ELSEWHERE = {"data/test_batch.bin", "loadgen/test_settings.h"}


def documents():
    found = [os.path.join(SOURCE, "README.md"), *glob.glob(os.path.join(SOURCE, "docs", "*.md"))]
    for folder in ("src", "bench", "tests", "fuzz", "tools", "packaging"):
        found += glob.glob(os.path.join(SOURCE, folder, "**", "README.md"), recursive=True)
    return found


def is_there(name, document):
    pattern = name.split("{")[0] + "*" if "{" in name else name
    folders = (SOURCE, os.path.join(SOURCE, "src"), os.path.join(SOURCE, "include"), os.path.dirname(document))
    return any(glob.glob(os.path.join(folder, pattern)) for folder in folders)


class Documents(unittest.TestCase):
    def test_what_they_name_is_there(self):
        checked = 0
        missing = []
        for document in documents():
            with open(document) as file:
                text = file.read()
            for name in NAMED.findall(text):
                checked += 1
                if name not in ELSEWHERE and not is_there(name, document):
                    missing.append(f"{os.path.relpath(document, SOURCE)}: {name}")
            for link in LINK.findall(text):
                checked += 1
                if not os.path.exists(os.path.join(os.path.dirname(document), link)):
                    missing.append(f"{os.path.relpath(document, SOURCE)}: link to {link}")
        self.assertEqual(missing, [])
        self.assertGreater(checked, 100)


if __name__ == "__main__":
    unittest.main()
