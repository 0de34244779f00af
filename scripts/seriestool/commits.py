# SPDX-License-Identifier: GPL-2.0-only
"""Patches and new files as commits on the pristine base. Nothing is checked out."""
import fcntl
import os
import re
from functools import partial
from itertools import accumulate

from . import DATE, TEXT, Problem, git, identity, read, say


def import_base(base, cache):
    """The commit of the base in CACHE/base.git, which all checkouts share."""
    repo = os.path.join(cache, 'base.git')
    # The index remembers what it has seen, so that the next look is short.
    index = os.path.join(repo, 'index' + base.replace('/', '-'))
    in_base = partial(git, cwd=base, env={'GIT_DIR': repo, 'GIT_WORK_TREE': base, 'GIT_INDEX_FILE': index,
                                          **identity()})
    os.makedirs(repo, exist_ok=True)
    with open(repo + '/lock', 'w', encoding='utf-8') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(index):
            say('taking the base into git (a minute, once)')
            git('init', '-q', '--bare', cwd=repo)
        # The threshold makes packs of it at once, the level saves two minutes.
        in_base('-c', 'core.bigFileThreshold=1', '-c', 'core.compression=1', '-c', 'gc.auto=0',
                'add', '-A', '-f', '.')
        # Debian's ignores all but Debian's own files, which is no good in the build tree.
        put(in_base, '.gitignore', re.sub(r'^(/\*|!/debian/)\n', '', read(base + '/.gitignore'), flags=re.M))
        return in_base('commit-tree', in_base('write-tree'), '-m', 'the pristine base')


def put(in_index, path, text):
    """Have TEXT as the content of a file in the index that the git of IN_INDEX has."""
    blob = in_index('hash-object', '-w', '--stdin', stdin=text)
    in_index('update-index', '--add', '--cacheinfo', f'100644,{blob},{path}')


def merge_maintainers(base, own):
    """The text BASE with the entries of OWN in their sorted place."""
    def key(section):   # the order of the kernel's own checker
        title = section.partition('\n')[0]
        return title == 'THE REST', title.upper()
    # A section starts at a line that a "M:", "S:" ... line follows.
    intro, *sections = re.split(r'^(?=(?![A-Z]:)\S.*\n[A-Z]:\s)', base, flags=re.M)
    sections = [s.strip('\n') for s in sections]
    for entry in filter(None, re.split(r'\n{2,}', re.sub('^#.*\n', '', own, flags=re.M).strip('\n'))):
        sections = [entry if key(s) == key(entry) else s for s in sections]
        if entry not in sections:
            # The base is not quite sorted. The right place is the one with the
            # fewest sections on the wrong side of it.
            wrong = [0, *accumulate(1 if key(s) > key(entry) else -1 for s in sections)]
            sections.insert(wrong.index(min(wrong)), entry)
    return intro + '\n\n'.join(sections) + '\n'


class Chain:
    """Makes commits in the repository of the build tree."""

    def __init__(self, series, tree, base):
        self.series, self.tree, self.base = series, tree, base
        self.new_files = self.read_new_files()

    def index(self, *args, stdin='', **env):
        """git, with an index of the few files that matter, which makes it quick."""
        return git(*args, cwd=self.tree, stdin=stdin,
                   env={'GIT_INDEX_FILE': os.path.join(self.tree, '.git/series-index'), **env})

    def read_new_files(self):
        """path: "mode blob 0<tab>path" of each new file, as the patch that brings it has it."""
        names = [f for p in self.series.patches for f in p.brings]
        self.index('read-tree', '--empty')
        self.index('update-index', '--add', '--stdin', stdin='\n'.join(names),
                   GIT_DIR=self.tree + '/.git', GIT_WORK_TREE=self.series.root)
        if 'MAINTAINERS' in names:
            merged = merge_maintainers(git('show', f'{self.base}:MAINTAINERS', cwd=self.tree),
                                       read(self.series.file('MAINTAINERS')))
            put(self.index, 'MAINTAINERS', merged)
        # The checkout has a file as the last patch of it leaves it.
        for p in reversed(self.series.patches):
            later = sorted({*p.touches} & {*names})
            try:
                if later:
                    self.index('apply', '--cached', '-R', *(f'--include={f}' for f in later), stdin=p.text)
            except Problem as e:
                raise Problem(f'patches/{p.name} does not fit {" ".join(later)} as it is in the checkout:'
                              ' edit it in the build tree, and make refresh') from e
        return {line.partition('\t')[2]: line for line in self.index('ls-files', '-s').splitlines()}

    def make(self, patches, start='', named=False):
        """START and one commit a patch on top of it. A named commit says which patch it is."""
        start, script = start or self.base, ''
        if not patches:
            return [start]
        self.index('read-tree', '--empty')
        self.index('update-index', '--index-info', stdin=self.index(
            'ls-tree', start, *(f for p in patches for f in p.touches + p.brings)))
        for mark, p in enumerate(patches, 1):
            self.apply(p)
            files = self.index('ls-files', '-s', '--', *p.touches, *p.brings)
            message = p.commit_message(named)
            script += (f'commit refs/series\nmark :{mark}\n'
                       f'author {p.header("From")} {DATE}\ncommitter {p.header("From")} {DATE}\n'
                       f'data {len(message.encode(*TEXT))}\n{message}'
                       f'from {f":{mark - 1}" if mark > 1 else start}\n'
                       + re.sub(r'^(\d+ \w+) 0\t(.*)', r'M \1 \2', files, flags=re.M)
                       + f'\n\nget-mark :{mark}\n')
        return [start, *git('fast-import', '--quiet', '--force', cwd=self.tree, stdin=script).split()]

    def apply(self, p):
        try:
            self.index('apply', '--cached', '--allow-empty', '--whitespace=nowarn', stdin=p.split()[1])
        except Problem as e:
            at = re.findall(r'^error: patch failed: (.*):(\d+)$', str(e), re.M)
            what = '; '.join(f'{path}, the hunk at line {line}' for path, line in at) or str(e)
            raise Problem(f'patches/{p.name} does not apply: {what}. Make it fit what the base and the'
                          ' patches before it leave there; the build tree is unchanged') from e
        self.index('update-index', '--index-info', stdin='\n'.join(self.new_files[f] for f in p.brings))
