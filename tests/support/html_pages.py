"""What stands on a page of HTML."""

from __future__ import annotations

import re
from html.parser import HTMLParser


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.text = set(), set(), ""

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text += data


def parsed(page):
    tags = Tags()
    tags.feed(page)
    return tags


def text_of(page):
    return parsed(page.split("</style>")[1]).text


def rows_of(page):
    """Each row of the table by its column's name; a row ends where the next one, or the table, begins."""
    table = page.split("<thead>")[1].split("</table>")[0]
    rows = re.findall(r'<tr class="(?:bad|odd|good|none)"><td>(.*?)(?=<tr|<tbody|$)', table, re.DOTALL)
    return {parsed(row.split("<td>")[0].split("<small>")[0]).text: row for row in rows}
