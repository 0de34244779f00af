# SPDX-License-Identifier: GPL-2.0-only
"""From the build tree back into patches/, new files and `series`.

Edits become fixups, and a rebase puts them into their commits; then each commit
is written to the patch that it names. The files of the build tree stay as they
are, and if anything fails, all else does, too.
"""
import os
import re

from . import Problem, git, identity, read, say, write
from .listing import Series
from .patch import from_commit

SAY_WHICH = 'say which patch gets it: make refresh PATCH=SET/topic.patch'


def refresh(build, target):
    build.stop_if_busy()
    # Who has rebased to a new base by hand has patches that don't apply to it.
    if not build.at('base') != build.base == build.git('rev-list', '--max-parents=0', 'HEAD'):
        build.sync()
    start = build.at()
    try:
        if build.edits():
            commit_edits(build, target)
        if build.at() == build.at('synced'):
            say('no edits in the build tree')
            return
        made = write_back(build, autosquash(build, build.at()))
    except BaseException:
        build.git('reset', '-q', start)     # edits are edits again
        raise
    build.move_to(made, '--soft')


def commit_edits(build, target):
    if 'MAINTAINERS' in build.edits() and any('MAINTAINERS' in p.brings for p in build.series.patches):
        raise Problem("MAINTAINERS in the build tree is made from the checkout's: edit that one, and"
                      f' give this edit up with git -C {build.tree} checkout MAINTAINERS')
    if build.untracked() and not target:
        raise Problem('\n'.join(f'{f} is new in the build tree; {SAY_WHICH}' for f in build.untracked()))
    build.git('add', '-A')
    if not target:
        absorb(build)
        return
    commits = {p.name: c for c, p in patches_of(build, 'HEAD')}
    if target in commits:
        build.git('commit', '-q', '--no-verify', f'--fixup={commits[target]}', env=identity())
    elif may_be_named(build.series, target):
        subject = target.removesuffix('.patch').replace('-', ' ').replace('/', ': ')
        build.git('commit', '-q', '--no-verify', '-s', '--trailer', f'Patch: {target}', '-m', subject,
                  '-m', 'Say what was wrong, what changes, and what a reviewer should look at.')
    else:
        raise Problem(f'{target} is no patch, and no name for a new one: SET/topic.patch, with a SET that'
                      ' series has')


def may_be_named(series, name):
    return name.split('/')[0] in series.sets and re.fullmatch(r'[\w.-]+/[\w.-]+\.patch', name)


def absorb(build):
    """git-absorb finds the patch of each hunk: the last one that it doesn't commute with."""
    build.git('absorb', '--force', '--base', build.base, env=identity())
    left = [(f, re.findall(r'^@@ .*\+(\d+)', build.git('diff', '-U0', 'HEAD', '--', f), re.M))
            for f in build.git('diff', '--name-only', 'HEAD').splitlines()]
    if left:
        raise Problem('\n'.join(f'{f}:{", ".join(at)}: no patch changes a line next to this edit; {SAY_WHICH}'
                                for f, at in left))


def autosquash(build, head):
    with build.scratch(head) as where:
        try:
            git('rebase', '-q', '-i', '--autosquash', '--no-verify', build.base, cwd=where, env=identity())
        except Problem as e:
            if 'make\nit empty' in str(e):
                raise Problem('a patch would become empty: take it out of series and patches/ instead') from e
            files = git('diff', '--name-only', '--diff-filter=U', cwd=where).splitlines()
            raise Problem('\n'.join(
                f'{f}: the edit does not fit there, as another patch changes the same lines: make refresh'
                ' PATCH= with one of ' + ' '.join(p.name for p in build.series.patches
                                                  if f in p.touches + p.brings) for f in files) or str(e)) from e
        build.git('fetch', '-q', where, 'HEAD')
        return build.at('FETCH_HEAD')


def patches_of(build, head):
    """(commit, patch) of each commit up to HEAD."""
    for c in build.git('rev-list', '--reverse', f'{build.base}..{head}').split():
        author, _, text = build.git('show', '-s', '--format=%an <%ae>%n%B', c).partition('\n')
        found = build.git('diff-tree', '-r', '--no-renames', '--name-status', f'{c}^', c).splitlines()
        brings = [f for kind, f in (line.split('\t') for line in found) if kind == 'A' or f == 'MAINTAINERS']
        diff = build.git('diff-tree', '-p', '--no-renames', '--no-ext-diff', f'{c}^', c, '--', '.',
                         *[f':(exclude,literal){f}' for f in brings])
        p = from_commit(author, text, diff + '\n' if diff else '')
        p.brings = brings
        yield c, p


def listing_of(build, head):
    """The series that the commits up to HEAD are."""
    series = Series(build.root)
    series.patches = [p for _, p in patches_of(build, head)]
    nameless = [p for p in series.patches if not may_be_named(series, p.name)]
    if nameless:
        raise Problem('\n'.join(f'the commit "{p.subject}" names no patch of a set that series has: git commit'
                                ' --amend --trailer "Patch: SET/topic.patch"' for p in nameless))
    series.patches.sort(key=lambda p: [*series.sets].index(p.set))
    return series


def write_back(build, head):
    """Write the commits up to HEAD to the checkout; return the commit that it gives."""
    before, series = build.series, listing_of(build, head)
    old = contents(before, build.root)
    exact = {**contents(series, build.tree), 'series': (str(series), 0o644)}
    if 'MAINTAINERS' in exact:
        exact['MAINTAINERS'] = old['MAINTAINERS']
    # A patch in which only line numbers have changed stays, if that gives the same.
    same = {p.name: p.without_positions() for p in before.patches}
    moved = {f'patches/{p.name}' for p in series.patches if same.get(p.name) == p.without_positions()}
    here = old
    try:
        for new in ({**exact, **{f: old[f] for f in moved}}, exact):
            replace(build.root, here, new)
            here = new
            build.series = Series(build.root)
            build.series.check(build.base_dir)
            made = build.chain().make(build.series.patches, named=True)[-1]
            if not build.git('diff', '--name-only', 'HEAD', made):
                break
        else:
            raise Problem(f'the edits in their patches give other files; {SAY_WHICH}')
    except BaseException as e:
        replace(build.root, here, old)
        if 'does not apply' in str(e):
            raise Problem(f'{e}\nnothing was changed; if a later patch changes the same lines, name one at or'
                          ' after that, PATCH=') from e
        raise
    for f in sorted({*old} | {*here}):
        if old.get(f) != here.get(f):
            say(('refreshed ' if f in here else 'removed ') + f)
    return made


def contents(series, where):
    """path: (text, mode) of the patches and of the new files below WHERE."""
    found = {f'patches/{p.name}': (p.text, 0o644) for p in series.patches}
    for path in ['series', *(f for p in series.patches for f in p.brings)]:
        if os.path.exists(f'{where}/{path}'):
            found[path] = read(f'{where}/{path}'), os.stat(f'{where}/{path}').st_mode & 0o777
    return found


def replace(root, old, new):
    for f, (text, mode) in new.items():
        write(os.path.join(root, f), text, mode)
    for f in {*old} - {*new}:
        os.remove(os.path.join(root, f))
