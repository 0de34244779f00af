# SPDX-License-Identifier: GPL-2.0-only
"""The sets of patches as commits, as a build tree and as mails (scripts/series)."""
import os
import subprocess

# git without what the user has configured, or a hook of his has set
ENV = {k: v for k, v in os.environ.items() if not k.startswith('GIT_')}
ENV.update(GIT_CONFIG_GLOBAL='/dev/null', GIT_CONFIG_NOSYSTEM='1', LC_ALL='C.UTF-8', GIT_EDITOR=':',
           GIT_CONFIG_COUNT='2', GIT_CONFIG_KEY_0='core.quotePath', GIT_CONFIG_VALUE_0='false',
           GIT_CONFIG_KEY_1='safe.directory', GIT_CONFIG_VALUE_1='*')    # a checkout of another user's
# Old files of the kernel are not all UTF-8.
TEXT = ('utf-8', 'surrogateescape')
# A mail program puts the day of sending in its place.
DATE = '1767225600 +0000'


class Problem(Exception):
    """What the user has to know: one error a line."""


def say(text):
    print('series: ' + text, flush=True)


def run(*command, cwd, env=None, stdin=''):
    """What a command prints, without the newline at the end."""
    done = subprocess.run(command, cwd=cwd, env={**ENV, **(env or {})}, input=stdin.encode(*TEXT),
                          capture_output=True, check=False)
    if done.returncode:
        raise Problem((done.stderr + done.stdout).decode(*TEXT).strip() or f'{command[:2]} failed')
    return done.stdout.decode(*TEXT).removesuffix('\n')


def git(*args, **kw):
    return run('git', *args, **kw)


def identity(who='base <base@localhost>'):
    """The same for everyone, so that the same patches have the same commit ids."""
    name, _, email = who.rstrip('>').partition(' <')
    return {f'GIT_{role}_{what}': value for role in ('AUTHOR', 'COMMITTER')
            for what, value in (('NAME', name), ('EMAIL', email), ('DATE', DATE))}


def read(path):
    with open(path, 'rb') as f:
        return f.read().decode(*TEXT)


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + '.half-made', 'wb') as f:
        f.write(text.encode(*TEXT))
    os.chmod(f.name, mode)
    os.replace(f.name, path)
