# SPDX-License-Identifier: GPL-2.0-only
"""Patches and new files as commits on the pristine base. Nothing is checked out."""
import fcntl
import hashlib
import json
import os
import re
from itertools import accumulate

from . import TEXT, Problem, git, identity, read, say, write


def import_base(base, cache):
    """The commit of the base in CACHE/base.git, which all checkouts share."""
    repo = os.path.join(cache, 'base.git')
    env = {'GIT_DIR': repo, 'GIT_WORK_TREE': base, **identity(),
           'GIT_INDEX_FILE': f'{repo}/index-{hashlib.sha1(base.encode()).hexdigest()[:12]}'}
    os.makedirs(repo, exist_ok=True)
    with open(repo + '/lock', 'w', encoding='utf-8') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # The index remembers what it has seen, so that the next look is short.
        if not os.path.exists(env['GIT_INDEX_FILE']):
            say('taking the base into git (a minute, once)')
            git('init', '-q', '--bare', cwd=repo)
        # The threshold makes packs of it at once, the level saves two minutes.
        git('-c', 'core.bigFileThreshold=1', '-c', 'core.compression=1', '-c', 'gc.auto=0',
            'add', '-A', '-f', '.', cwd=base, env=env)
        # Debian's ignores all but Debian's own files, which is no good in the build tree.
        text = re.sub(r'^(/\*|!/debian/)\n', '', read(base + '/.gitignore'), flags=re.M)
        blob = git('hash-object', '-w', '--stdin', cwd=base, env=env, stdin=text)
        git('update-index', '--cacheinfo', f'100644,{blob},.gitignore', cwd=base, env=env)
        return git('commit-tree', git('write-tree', cwd=base, env=env), '-m', 'the pristine base',
                   cwd=base, env=env)


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
        # What was made before is not made again.
        self.memo_file = os.path.join(tree, '.git/series-made')
        self.memo = json.loads(read(self.memo_file)) if os.path.exists(self.memo_file) else {}
        self.index_at = ''
        self.blobs = self.new_files()

    def index(self, *args, stdin=''):
        return git(*args, cwd=self.tree, stdin=stdin,
                   env={'GIT_INDEX_FILE': os.path.join(self.tree, '.git/series-index')})

    def new_files(self):
        """path: "mode blob" of each new file, as it is in the patch that brings it."""
        names = {f: self.series.file(f) for p in self.series.patches for f in p.brings}
        if 'MAINTAINERS' in names:
            merged = merge_maintainers(git('show', f'{self.base}:MAINTAINERS', cwd=self.tree),
                                       read(names['MAINTAINERS']))
            names['MAINTAINERS'] = os.path.join(self.tree, '.git/series-MAINTAINERS')
            write(names['MAINTAINERS'], merged)
        found = git('hash-object', '-w', '--no-filters', '--stdin-paths', cwd=self.tree,
                    stdin='\n'.join(names.values())).split()
        blobs = {f: f'{"100755" if os.access(name, os.X_OK) else "100644"} {blob}'
                 for (f, name), blob in zip(names.items(), found)}
        # The checkout has a file as the last patch of it leaves it.
        for p in reversed(self.series.patches):
            for f in {*p.touches} & {*blobs}:
                self.index('read-tree', '--empty')
                self.index('update-index', '--index-info', stdin=f'{blobs[f]}\t{f}\n')
                try:
                    self.index('apply', '--cached', '-R', f'--include={f}', stdin=p.text)
                except Problem as e:
                    raise Problem(f'patches/{p.name} does not fit {f} as it is in the checkout: edit it'
                                  ' in the build tree, and make refresh') from e
                blobs[f] = ' '.join(self.index('ls-files', '-s', f).split()[:2])
        return blobs

    def make(self, patches, start='', named=False):
        """START and one commit a patch on top of it. A named commit says which patch it is."""
        commits = [start or self.base]
        for p in patches:
            new = ''.join(f'{self.blobs[f]}\t{f}\n' for f in p.brings)
            key = hashlib.sha1(f'{commits[-1]} {named and p.name}\n{new}{p.text}'
                               .encode(*TEXT)).hexdigest()
            if key not in self.memo:
                self.memo[key] = self.commit(commits[-1], p, new, named)
            commits.append(self.memo[key])
        write(self.memo_file, json.dumps(self.memo))
        return commits

    def commit(self, parent, p, new, named):
        if self.index_at != parent:
            self.index('read-tree', parent)
        self.index_at = ''
        try:
            self.index('apply', '--cached', '--allow-empty', '--whitespace=nowarn', stdin=p.split()[1])
        except Problem as e:
            at = re.findall(r'^error: patch failed: (.*):(\d+)$', str(e), re.M)
            what = '; '.join(f'{path}, the hunk at line {line}' for path, line in at) or str(e)
            raise Problem(f'patches/{p.name} does not apply: {what}. Make it fit what the base and the'
                          ' patches before it leave there; the build tree is unchanged') from e
        self.index('update-index', '--index-info', stdin=new)
        self.index_at = git('commit-tree', self.index('write-tree'), '-p', parent, cwd=self.tree,
                            stdin=p.commit_message(named), env=identity(p.header('From')))
        return self.index_at
