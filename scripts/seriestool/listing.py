# SPDX-License-Identifier: GPL-2.0-only
"""What the checkout holds: the file `series`, patches/ and the new files."""
import os
from collections import Counter

from . import Problem, git, read
from .patch import Patch, numbers

# Folders with kernel files. All in them is ours, so all of it is in some set.
KERNEL = ('drivers', 'include', 'mm', 'lib', 'fs', 'kernel', 'arch', 'samples', 'virt', 'sound',
          'tools/testing', 'Documentation', 'MAINTAINERS')


class Series:
    def __init__(self, root):
        self.root = root
        self.comment = ''       # at the top of `series`
        self.sets = {}          # name: the sets that it stands on
        self.patches = []
        self.problems = []
        self.parse(read(self.file('series')))
        for p in self.patches:
            if os.path.isfile(self.file('patches', p.name)):
                p.text = read(self.file('patches', p.name))
            else:
                self.problems.append(f'patches/{p.name} is missing, series lists it')

    def file(self, *path):
        return os.path.join(self.root, *path)

    def parse(self, text):
        words, current = [], ''
        for line in text.splitlines():
            word = line.strip()
            if word.startswith('#') and current:
                self.problems.append(f'series: "{word}" stands below the first set: say it in a cover')
            if word.startswith('#') or not word:
                self.comment += line + '\n'
                continue
            if line[0].isspace() and word.endswith('.patch') and current:
                word = f'{current}/{word}'
                self.patches.append(Patch(word))
            elif line[0].isspace() and self.patches and self.patches[-1].set == current:
                self.patches[-1].brings.append(word)
            elif line[0].isspace():
                self.problems.append(f'series lists {word} before the first patch of a set')
            else:
                current, _, needs = word.partition(':')
                word = f'set {current}'
                self.problems += [f'{word} stands on {need}, which is no set before it'
                                  for need in needs.split() if need not in self.sets]
                self.sets[current] = needs.split()
            words.append(word)
        self.problems += [f'{word} is listed twice in series' for word, n in Counter(words).items() if n > 1]

    def __str__(self):
        return self.comment.rstrip('\n') + '\n' + ''.join(
            '\n' + ' '.join([name + ':', *needs]) + '\n' + ''.join(
                f'\t{p.name.split("/")[1]}\n' + ''.join(f'\t\t{f}\n' for f in p.brings)
                for p in self.of_set(name)) for name, needs in self.sets.items())

    def of_set(self, name):
        if name not in self.sets:
            raise Problem(f'there is no set {name}; there are ' + ' '.join(self.sets))
        return [p for p in self.patches if p.set == name]

    def prerequisites(self, name):
        """The patches of all sets that NAME stands on, directly or not."""
        wanted = {*self.sets[name]}
        for other in reversed(self.sets):
            wanted.update(self.sets[other] if other in wanted else [])
        return [p for p in self.patches if p.set in wanted]

    def check(self, base):
        """See that the parts agree with each other and with the base; tell all that don't."""
        brought = {f: p.name for p in self.patches for f in p.brings}
        for f, name in brought.items():
            if not (f + '/').startswith(tuple(d + '/' for d in KERNEL)):
                self.problems.append(f'series lists {f}, which is in no kernel folder')
            elif os.path.islink(self.file(f)) or not os.path.isfile(self.file(f)):
                self.problems.append(f'new file {f} is missing, series lists it under {name}')
            elif f != 'MAINTAINERS' and os.path.exists(os.path.join(base, f)):
                self.problems.append(f'the base has {f} already: make the change a patch')
        subjects = {}               # git's fixups go by the subject
        for p in filter(lambda p: p.text, self.patches):
            first = subjects.setdefault(p.subject, p)
            self.problems += [f'patches/{p.name} {x}' for x in
                              p.problems() + self.read_diff(p)
                              + [f'has the subject of {first.name}'] * (first is not p)]
        for cover in (f'patches/{s}/cover' for s in self.sets):
            self.problems += [f'{cover} {x}' for x in numbers(read(self.file(cover)))] if \
                os.path.isfile(self.file(cover)) else [f'no {cover}: a line of subject, then the text']
        self.check_unlisted(brought)
        if self.problems:
            raise Problem('\n'.join(self.problems))

    @staticmethod
    def read_diff(p):
        try:    # outside of any repository, or git leaves out what is not below "."
            found = git('apply', '--allow-empty', '--numstat', '--summary', cwd='/', stdin=p.text)
        except Problem as e:
            return ['can\'t be read: ' + str(e).removeprefix('error: ')]
        p.touches = [line.split('\t')[2] for line in found.splitlines() if '\t' in line]
        made = [line.split()[3] for line in found.splitlines() if line.startswith(' create')]
        return [f'creates {f}: commit it as plain source and list it in series, indented, under the patch'
                for f in made] + [
            f'may only change files:{line}' for line in found.splitlines()
            if line.startswith((' delete', ' rename', ' copy'))] + [
            'is empty: it has no diff and brings no file'] * (not p.touches and not p.brings)

    def check_unlisted(self, brought):
        listed = {p.name for p in self.patches} | {f'{s}/cover' for s in self.sets}
        found = {os.path.relpath(os.path.join(folder, f), self.file('patches'))
                 for folder, _, files in os.walk(self.file('patches')) for f in files}
        self.problems += [f'patches/{f} is not listed in series' for f in sorted(found - listed)]
        if os.path.exists(self.file('.git')):
            found = git('ls-files', '--cached', '--others', '--exclude-standard', '--', *KERNEL,
                        cwd=self.root).splitlines()
            self.problems += [f'new file {f} is not listed in series: add it, indented, under the patch'
                              ' that brings it' for f in sorted({*found} - {*brought})
                              if os.path.exists(self.file(f))]
