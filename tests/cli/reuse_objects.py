# SPDX-License-Identifier: Apache-2.0
"""A compiler launcher (CMAKE_CXX_COMPILER_LAUNCHER, CMAKE_CUDA_COMPILER_LAUNCHER) for a second build of a checkout
that is built already: where the first one, $HEDGE_REUSE_BUILD of $HEDGE_REUSE_SOURCE, ran the very same command, its
object is taken; anything else is compiled, without optimisation. A line in $HEDGE_REUSE_LOG says which."""
import json
import os
import shlex
import shutil
import subprocess
import sys


def canonical(words, build, source):
    """The command without the names of its outputs, with those of folders replaced, and whole (of nvcc's, make
    keeps a part in a file)."""
    kept = []
    words = iter(words)
    for word in words:
        if word in ("-o", "-MT", "-MF"):
            next(words)
        elif word == "--options-file":
            with open(next(words)) as text:
                kept += canonical(shlex.split(text.read()), build, source)
        elif word != "-MD":
            kept.append(word.replace(build, "<build>").replace(source, "<source>"))
    return kept


def known_object(words):
    """The object of the same command in the first build."""
    first = os.environ["HEDGE_REUSE_BUILD"]
    second = os.environ["HEDGE_REUSE_SECOND"]
    tree = os.path.dirname(second)
    wanted = canonical(words, second, tree)
    source = canonical([words[words.index("-c") + 1]], second, tree)
    with open(os.path.join(first, "compile_commands.json")) as text:
        for entry in json.load(text):
            if canonical([entry["file"]], first, os.environ["HEDGE_REUSE_SOURCE"]) != source:
                continue
            command = shlex.split(entry["command"])
            if canonical(command, first, os.environ["HEDGE_REUSE_SOURCE"]) == wanted:
                return os.path.join(entry["directory"], command[command.index("-o") + 1])
    return None


def main(words):
    found = known_object(words)
    if found is None or not os.path.exists(found):
        status = subprocess.run([*words, "-O0"], check=False).returncode
    else:
        output = words[words.index("-o") + 1]
        shutil.copyfile(found, output)
        if "-MF" in words:
            with open(words[words.index("-MF") + 1], "w") as dependencies:
                dependencies.write(f"{output}: {words[words.index('-c') + 1]}\n")
        status = 0
    with open(os.environ["HEDGE_REUSE_LOG"], "a") as log:
        log.write(f"{'taken' if found else 'compiled'} {words[words.index('-c') + 1]}\n")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
