# SPDX-License-Identifier: GPL-2.0-only
"""The build tree: a git work tree whose commits are the patches.

Its ref `synced` is the commit that was last put there from patches/, `base` the
base below that. So what the user did can be told from a patch that has changed.
"""
import fcntl
import os
import shutil
import tempfile
from contextlib import contextmanager

from . import Problem, git, run, say, write
from .commits import Chain, import_base
from .listing import Series


class BuildTree:
    def __init__(self, root, base, cache, tree):
        self.root, self.base_dir, self.tree = root, base, tree
        os.makedirs(os.path.dirname(tree), exist_ok=True)
        self.lock = open(tree + '.lock', 'w', encoding='utf-8')  # pylint: disable=consider-using-with
        fcntl.flock(self.lock, fcntl.LOCK_EX)       # one run at a time, from the first look on
        self.series = Series(root)
        self.series.check(base)
        self.base = import_base(base, cache)
        if not os.path.exists(tree):
            self.create(cache)
        if not os.path.exists(tree + '/.git/refs/heads/synced'):
            raise Problem(f'{tree} was not made by this tool: remove it, or set TREE')
        self.git('update-ref', 'refs/heads/new-base', self.base)

    def git(self, *args, **kw):
        return git(*args, cwd=self.tree, **kw)

    def at(self, rev='HEAD'):
        return self.git('rev-parse', rev)

    def create(self, cache):
        say(f'copying the base to {self.tree} (half a minute)')
        new = self.tree + '.half-made'
        shutil.rmtree(new, ignore_errors=True)
        os.makedirs(new)
        # A copy has the times of the base, and objects are judged by time.
        run('cp', '-a', '--reflink=auto', '-t', new, cwd='/',
            *[os.path.join(self.base_dir, f) for f in os.listdir(self.base_dir) if f != '.git'])
        git('init', '-q', '--initial-branch=series', cwd=new)
        who = run('sh', '-c', 'env -u GIT_CONFIG_GLOBAL git config --get-regexp "^user[.](name|email)" || :',
                  cwd=self.root)
        for key, value in (('gc.auto', '0'), ('core.autocrlf', 'false'), ('absorb.maxStack', '9999'),
                           *(line.split(' ', 1) for line in who.splitlines())):
            git('config', key, value, cwd=new)
        write(new + '/.git/objects/info/alternates', f'{cache}/base.git/objects\n')
        write(new + '/.git/info/exclude', '/obj-*/\n/half-made-*/\n')
        git('reset', '-q', self.base, cwd=new)
        git('checkout', '-q', '.', cwd=new)         # .gitignore, see import_base()
        for ref in ('base', 'synced'):
            git('branch', ref, self.base, cwd=new)
        os.rename(new, self.tree)

    def chain(self):
        return Chain(self.series, self.tree, self.base)

    def untracked(self):
        return self.git('ls-files', '-o', '--exclude-standard').splitlines()

    def edits(self):
        return self.git('diff', '--name-only', 'HEAD').splitlines() + self.untracked()

    def move_to(self, head, how):
        """HEAD is what patches/ give, and what the build tree gets or has."""
        self.git('reset', '-q', how, head)
        self.git('update-ref', 'refs/heads/base', self.base)
        self.git('update-ref', 'refs/heads/synced', head)

    def sync(self):
        """Bring the work tree in line with patches/; what was edited stays."""
        try:
            head = self.chain().make(self.series.patches, named=True)[-1]
        except Problem as e:
            if self.base == self.at('base'):
                raise
            raise Problem(f'{e}\nthe base is a new one; to rebase by hand: git -C {self.tree} rebase'
                          ' --onto new-base base, mend, git rebase --continue, make refresh') from e
        if head == self.at('synced'):
            say('build tree: up to date')
            return
        self.stop_if_busy()
        if self.at() != self.at('synced'):
            raise Problem('both patches/ and the commits of the build tree have changed. Keep one: put'
                          ' patches/ back and run make refresh, or give the commits up with'
                          f' git -C {self.tree} reset --keep synced')
        changed = self.git('diff', '--name-only', 'HEAD', head).splitlines()
        both = sorted({*changed} & {*self.edits()})
        if both:
            raise Problem('\n'.join(f'{f} was edited in the build tree, and it has changed in the checkout or'
                                    f' the base too: git -C {self.tree} stash -u, make tree, and git -C'
                                    f' {self.tree} stash pop' for f in both))
        self.move_to(head, '--keep')
        say(f'build tree: {len(changed)} files brought in line')

    def note_edits(self):
        commits = self.git('log', '--format=%h %s', 'synced..HEAD').splitlines()
        for what, found in (('files edited', self.edits()), ('commits', commits)):
            if found:
                print(f'note: {len(found)} {what} in the build tree, not yet in a patch: run make refresh',
                      *found[:10], *['...'] * (len(found) > 10), sep='\n  ', flush=True)

    def stop_if_busy(self):
        for what in ('rebase-merge', 'rebase-apply', 'CHERRY_PICK_HEAD', 'MERGE_HEAD'):
            if os.path.exists(f'{self.tree}/.git/{what}'):
                raise Problem(f'git is in the midst of something in {self.tree}: finish it, or abort it;'
                              ' git status says which')

    @contextmanager
    def scratch(self, commit):
        """A repository at COMMIT that goes away, with an index and without files."""
        with tempfile.TemporaryDirectory(prefix='series-') as where:
            git('init', '-q', cwd=where)
            write(where + '/.git/objects/info/alternates', self.tree + '/.git/objects\n')
            git('sparse-checkout', 'set', '--no-cone', '/nothing', cwd=where)
            git('checkout', '-q', '--detach', commit, cwd=where)
            yield where
