# SPDX-License-Identifier: GPL-2.0-only
"""A patch: a file of patches/, and a commit of the build tree.

The file is From:, Subject:, the message, "---", perhaps a note to reviewers, and
the diff. The message of the commit has a line more, "Patch: SET/topic.patch".
"""
import re
from dataclasses import dataclass, field


@dataclass
class Patch:
    name: str                                       # SET/topic.patch
    text: str = ''                                  # of the file
    brings: list = field(default_factory=list)      # new files
    touches: list = field(default_factory=list)     # files that were there before

    @property
    def set(self):
        return self.name.split('/')[0]

    def header(self, key):
        return ''.join(re.findall(f'^{key}: (.*)', self.text.partition('\n\n')[0], re.M)[:1])

    @property
    def subject(self):
        return self.header('Subject').removeprefix('[PATCH] ')

    def split(self):
        """Message with "---" and note, and diff."""
        body = self.text.partition('\n\n')[2]
        at = re.search(r'^---\n(.*\n)*?(?=diff --git )|\Z', body, re.M).end()
        return body[:at], body[at:]

    def commit_message(self, named):
        body = self.split()[0].strip().removesuffix('\n---')
        return f'{self.subject}\n\n{body}\n' + (f'Patch: {self.name}\n' if named else '')

    def without_positions(self):
        return re.sub(r'^@@ -\d+(,\d+)? \+\d+(,\d+)? @@', r'@@ \1 \2 @@', self.text, flags=re.M)

    def problems(self):
        """What a mail of it would lack."""
        message, dashes, _ = self.text.partition('\n\n')[2].partition('\n---\n')
        message = message if dashes else ''
        return [f'has no "{what}"' for what, there in (
            ('From: name <address>', re.fullmatch('.+ <[^ @>]+@[^ >]+>', self.header('From'))),
            ('Subject: [PATCH]', re.match(r'\[PATCH\] .', self.header('Subject'))),
            ('Signed-off-by:', re.search('^Signed-off-by: .+ <.+@.+>$', message, re.M)),
            ('--- line after the message', dashes)) if not there] + [
            f'has a header that a refresh would lose: {line}' for line in
            re.findall('^(?!From: |Subject: ).*', self.text.partition('\n\n')[0], re.M)] + [
            f'has a line in its message that git takes for the diff: {line}' for line in
            re.findall('^(?:diff -|Index: |--- ).*', message, re.M)] + numbers(message)


def from_commit(author, message, diff):
    name = ''
    for last in [*re.finditer(r'^Patch: (\S+)$\n?', message, re.M)][-1:]:
        name, message = last[1], message[:last.start()] + message[last.end():]
    subject, _, body = message.partition('\n')
    body, _, note = (body.strip() + '\n').partition('\n---\n')
    # A diffstat would be out of date with the next edit.
    note = re.sub(r'^ .* \| +(\d+ [+-]*|Bin .*)\n|^ \d+ files? changed.*\n', '', note, flags=re.M).strip()
    return Patch(name, f'From: {author}\nSubject: [PATCH] {subject}\n\n{body.strip()}\n---\n'
                 + (note and note + '\n\n') + re.sub('^index .*\n', '', diff, flags=re.M))


def numbers(text):
    return [f'says "{n}": patches have numbers in mails only'
            for n in re.findall(r'\b[Pp]atch(?:es)?\s[0-9]+', text)]
