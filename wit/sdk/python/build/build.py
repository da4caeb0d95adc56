"""Builds a guest: python build.py OPTIONS, where OPTIONS is JSON with `project`, `module`, `world` (of a program that has
one), `output`, `packages` (the project's dependencies), `work` (a folder for what lies between) and `tools`.

The guest becomes OUTPUT.draft: whoever asked gives it its name. What the build has to say goes to standard output, one line
`berth-build:JSON` each.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
import traceback
from pathlib import Path

SDK = Path(__file__).resolve().parent.parent
EXPORTS = {
    "http": ["wasi:http/incoming-handler@0.2.12"],
    "messages": ["berth:pubsub/subscriber@0.1.0", "berth:pubsub/subscriptions@0.1.0"],
    "workflows": [f"berth:workflow/{name}@0.1.0" for name in ("workflows", "activities", "registry")],
}
CLASSES = {
    "http": "from berth_guest.http import WasiHttpIncomingHandler0212",
    "messages": "from berth_guest.messages import BerthPubsubSubscriber010, BerthPubsubSubscriptions010",
    "workflows": "from berth_guest.workflows import BerthWorkflowActivities010, BerthWorkflowRegistry010, "
    "BerthWorkflowWorkflows010",
}
# Beside those of the SDK: os.environ.
IMPORTS = {"wasi:cli/environment@0.2.12"}
ENTRY = "berth_guest_entry"
BUILT_WORLD = "berth:built/guest"
# Of a program that speaks WIT itself.
RAW_WORLD = "berth:guest/service"
BINDINGS = "wit_world"


class Wrong(Exception):
    """The program must be changed; the text says how."""


def tell(kind: str, content) -> None:
    print(f"berth-build:{json.dumps({'kind': kind, 'content': content})}", flush=True)


def main() -> int:
    options = json.loads(sys.argv[1])
    project, work, tools = (Path(options[name]) for name in ("project", "work", "tools"))
    paths = [project, SDK / "src", Path(options["packages"]), SDK / "shims"]
    module, world, wit = options["module"], options["world"], [tools / "wit"]
    if not world and speaks_wit(project, module):
        world = RAW_WORLD
    try:
        if not world:
            world, module = prepare(module, paths, work, tools)
            wit, paths = [work / "wit"], [work, *paths]
    except Wrong as error:
        tell("error", str(error))
        return 1
    return componentize(project, paths, wit, world, module, options["output"], tools)


def speaks_wit(project: Path, module: str) -> bool:
    entry = project.joinpath(*module.split(".")).with_suffix(".py")
    return entry.is_file() and BINDINGS in entry.read_text()


def prepare(module: str, paths: list[Path], work: Path, tools: Path) -> tuple[str, str]:
    """Runs the program's modules once, over bindings that do nothing, to see what it has; writes its world and its entry."""
    sys.path[:0] = [str(path) for path in [*paths, tools / "stubs"]]
    sys.dont_write_bytecode = True
    program = load(module, paths[0])
    from berth_guest import start

    start.start(program)
    guest = start.offers()
    kinds = {
        "http": guest["http"] or guest["methods"],
        "messages": guest["subscriptions"],
        "workflows": guest["workflows"] or guest["activities"],
    }
    wanted = [kind for kind, there in kinds.items() if there]
    if not wanted:
        raise Wrong(
            f"{module} offers nothing: it has no handlers of dapr.ext.grpc.App, registers nothing with a WorkflowRuntime, and "
            "has no WSGI or ASGI application that is called `app` or `application`"
        )
    tell("guest", guest)
    tell("inputs", sources(paths[0]))
    return write(module, wanted, work, tools)


def load(module: str, project: Path):
    try:
        return importlib.import_module(module)
    except SystemExit as error:
        raise Wrong(f"{module} ends with sys.exit({error.code}) when it is imported") from None
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if not in_build(frame.filename)]
        sys.stderr.write("".join(["Traceback (most recent call last):\n", *traceback.format_list(own)]))
        sys.stderr.write("".join(traceback.format_exception_only(error)))
        of_project = [frame for frame in own if Path(frame.filename).is_relative_to(project)]
        at = f"{of_project[-1].filename}:{of_project[-1].lineno}: " if of_project else ""
        raise Wrong(f"{at}{type(error).__name__}: {error}") from None


def in_build(filename: str) -> bool:
    return filename == __file__ or filename.startswith(("<frozen importlib", importlib.__file__))


def sources(project: Path) -> list[str]:
    """The project's own modules that the program is made of."""
    files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    own = {Path(file).resolve() for file in files if file and file.endswith(".py")}
    inside = [file for file in own if file.is_relative_to(project) and ".berth" not in file.relative_to(project).parts]
    return sorted(map(str, inside))


def write(module: str, wanted: list[str], work: Path, tools: Path) -> tuple[str, str]:
    lines = [
        "import berth_guest.prelude",
        f"import {module} as program",
        "from berth_guest.start import start",
        *(CLASSES[kind] for kind in wanted),
        "start(program)",
    ]
    for kind in wanted:
        # Loads what they use, and so shows what they import of the host.
        importlib.import_module(f"berth_guest.{kind}")
    shutil.copytree(tools / "wit/deps", work / "wit/deps", dirs_exist_ok=True)
    (work / f"{ENTRY}.py").write_text("\n".join(lines) + "\n")
    exports = [name for kind in wanted for name in EXPORTS[kind]]
    world = [f"  import {name};" for name in sorted(IMPORTS | used())] + [f"  export {name};" for name in exports]
    text = "\n".join(["package berth:built;", "", "world guest {", *world, "}"])
    (work / "wit/world.wit").write_text(text + "\n")
    return BUILT_WORLD, ENTRY


def used() -> set[str]:
    """The interfaces of berth that were loaded: `wit_world.imports.berth_state_store_0_1_0` is `berth:state/store@0.1.0`."""
    found = set()
    for name in sys.modules:
        _, _, interface = name.partition(f"{BINDINGS}.imports.berth_")
        if interface and not interface.endswith("types_0_1_0"):
            package, _, rest = interface.removesuffix("_0_1_0").partition("_")
            found.add(f"berth:{package}/{rest.replace('_', '-')}@0.1.0")
    return found


def componentize(project, paths, wit, world, module, output, tools) -> int:
    command = [str(Path(sys.executable).parent / "componentize-py"), "--quiet", "--world", world]
    if world == BUILT_WORLD:
        command.append("--full-names")
    command += [word for path in wit for word in ("--wit-path", str(path))]
    command += ["componentize", "--output", f"{output}.draft"]
    command += [word for path in paths for word in ("--python-path", str(path))]
    # Else it adds the packages of whatever Python is on the PATH.
    nothing = tools / "no-environment"
    (nothing / "lib/python3/site-packages").mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "VIRTUAL_ENV": str(nothing)}
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    return subprocess.run([*command, module], cwd=project, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
