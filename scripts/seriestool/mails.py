# SPDX-License-Identifier: GPL-2.0-only
"""The mails of each set, and the proof that they are what was built and tested."""
import fnmatch
import os
import re
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor

from . import Problem, git, identity, read, run, say


def mail(build, out, only):
    series, chain = build.series, build.chain()
    names = [s for s in ([only] if only else series.sets) if series.of_set(s)]
    check_tree(build, chain, everything=not only)
    starts = [chain.make(series.prerequisites(name))[-1] for name in names]
    ends = [chain.make(series.of_set(name), start)[-1] for name, start in zip(names, starts)]
    with tempfile.TemporaryDirectory(prefix='series-') as tmp, ThreadPoolExecutor(os.cpu_count()) as pool:
        def one_set(name, start, end):
            write_mails(build, name, start, end, f'{tmp}/{name}')
            prove(build, name, start, end, mails(tmp, [name]))
            say(f'{name}: git am of {len(series.of_set(name))} on '
                + ' + '.join(['the base', *series.sets[name]]))
        [*pool.map(one_set, names, starts, ends)]   # pylint: disable=expression-not-assigned
        if not only:
            prove(build, 'all sets', build.base, build.at(), mails(tmp, names))
        style(build, tmp, names, pool, everything=not only)
        for old in os.listdir(out) if os.path.exists(out) else []:
            if old in names or not only and os.path.exists(f'{out}/{old}/0000-cover-letter.patch'):
                shutil.rmtree(os.path.join(out, old))
        shutil.copytree(tmp, out, dirs_exist_ok=True)
    say(f'{len(mails(out, names))} patches apply with git am'
        f'{"" if only else ", give the build tree"} and are checkpatch clean: {out}')


def mails(folder, names):
    return [f'{folder}/{name}/{m}' for name in names for m in sorted(os.listdir(f'{folder}/{name}'))
            if not m.startswith('0000-')]


def check_tree(build, chain, everything):
    """The build tree must be the series, no more and no less."""
    if chain.make(build.series.patches, named=True)[-1] != build.at('synced'):
        raise Problem('the build tree is behind the series: run make tree')
    if build.at() != build.at('synced'):
        raise Problem('the build tree has commits that are not in patches/: run make refresh')
    edits = build.edits()
    if everything:      # git believes time stamps; an index without them reads each file
        env = {'GIT_INDEX_FILE': build.tree + '/.git/series-index'}
        build.git('read-tree', 'HEAD', env=env)
        edits = build.git('diff', '--name-only', 'HEAD', env=env).splitlines() + build.untracked()
    if edits:
        raise Problem('\n'.join(f'{f}: an edit in the build tree that belongs to no patch: run make'
                                ' refresh' for f in edits))


def write_mails(build, name, start, end, folder):
    """Format them, ask the kernel's script who gets them, and format them again."""
    subject, _, text = read(build.series.file('patches', name, 'cover')).partition('\n')
    who = identity(build.git('show', '-s', '--format=%an <%ae>', end))
    build.git('update-ref', f'refs/heads/mail-{name}', end)
    command = ['-c', f'branch.mail-{name}.description={subject}\n\n{text.strip()}', 'format-patch', '-q',
               '--cover-letter', '--cover-from-description=subject', f'--base={build.base}',
               '--no-renames', '--no-signature', '-o', folder, f'{start}..mail-{name}']
    build.git(*command, env=who)
    found = run('perl', 'scripts/get_maintainer.pl', '--no-git', '--no-git-fallback', '--rolestats',
                *mails(folder, ['.']), cwd=build.tree)
    for address, role in re.findall(r'^(.*@.*?) \((\w+)', found, re.M):
        command[-1:-1] = [f'--{"to" if role in ("maintainer", "supporter") else "cc"}={address}']
    build.git(*command, env=who)
    build.git('update-ref', '-d', f'refs/heads/mail-{name}')


def prove(build, what, start, end, paths):
    with build.scratch(start) as where:
        try:
            git('am', '-q', '--keep-cr', *paths, cwd=where, env=identity())
        except Problem as e:
            raise Problem(f'the mails of {what} do not apply with git am: {e}') from e
        if git('diff', '--name-only', 'HEAD', end, cwd=where):
            raise Problem(f'the mails of {what}, applied with git am, do not give the series')


def known_remarks(root):
    """(glob, type) of each line of scripts/checkpatch.known."""
    path = os.path.join(root, 'scripts/checkpatch.known')
    for line in read(path).splitlines() if os.path.exists(path) else []:
        if line and not line.startswith('#'):
            glob, kind, *reason = line.split(None, 2)
            if not reason:
                raise Problem(f'scripts/checkpatch.known: "{glob} {kind}" has no reason')
            yield glob, kind


def checkpatch(build, path):
    """{type: remarks}"""
    try:
        # Below a folder that goes away, as it leaves a cache behind.
        found = run('perl', build.base_dir + '/scripts/checkpatch.pl', '--strict', '--show-types',
                    '--no-summary', '--color=never', path, cwd=os.path.dirname(path))
    except Problem as e:
        found = str(e)
        if not re.search('^(ERROR|WARNING|CHECK):', found, re.M):
            return {'checkpatch could not run': found}
    return {kind: found for kind in re.findall('^(?:ERROR|WARNING|CHECK):([A-Z0-9_]+): ', found, re.M)}


def style(build, tmp, names, pool, everything):
    known, used, problems = [*known_remarks(build.root)], set(), []
    patches = [p.name for name in names for p in build.series.of_set(name)]
    remarks = [*pool.map(lambda path: checkpatch(build, path), mails(tmp, names))]
    for name, kind, text in ((n, *item) for n, found in zip(patches, remarks) for item in found.items()):
        allowed = {k for k in known if fnmatch.fnmatch(name, k[0]) and k[1] == kind}
        used |= allowed
        if not allowed:
            problems += [f'{name}: checkpatch: {kind}'] + [part for part in text.split('\n\n')
                                                           if f':{kind}:' in part or ' ' in kind]
    problems += [f'scripts/checkpatch.known: "{glob} {kind}" matches no remark any more: remove it'
                 for glob, kind in known if everything and (glob, kind) not in used]
    if problems:
        raise Problem('\n'.join(problems))
