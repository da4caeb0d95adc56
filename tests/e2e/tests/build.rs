//! `berth build`: projects become guests, and what is wrong with them is said.

use anyhow::Result;
use berth_e2e::{Finished, Folder, Host, berth, eventually, repository};
use reqwest::Method;
use std::{fs, time::Duration};

/// A guest with an engine in it is compiled meanwhile, beside other tests.
const SWAP_BOUND: Duration = Duration::from_secs(300);

/// Runs `berth build` in a project, with the toolchains of `cargo xtask setup`.
async fn build(project: &Folder) -> Result<Finished> {
    let tools = repository().join("target/tools/berth");
    let command = berth(["build"])?.arg(project.path()).arg("--tools-dir");
    command.arg(&tools).arg("--output").arg("json").run().await
}

fn hello(greeting: &str) -> String {
    format!(
        "export default {{ fetch: async (request: Request): Promise<Response> => new Response({greeting:?}) }};\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_in_typescript_becomes_a_guest_and_is_built_again_when_it_changes() -> Result<()>
{
    let project = Folder::new()?;
    project.write("package.json", r#"{"name": "hello"}"#)?;
    project.write("src/app.ts", hello("one"))?;
    let first = build(&project).await?.json();
    assert_eq!(first["unchanged"], false, "{first}");
    assert_eq!(first["offers"], serde_json::json!(["fetch"]), "{first}");
    let again = build(&project).await?.json();
    assert_eq!(again["unchanged"], true, "{again}");

    let host = Host::builder().source(project.path().join("hello.wasm"));
    let host = host.baseline().start().await?;
    assert_eq!(host.client().get("/any").await?.text(), "one");
    // What does not compile leaves the guest as it is.
    project.write("src/app.ts", "export default { fetch: () => 1 + };\n")?;
    let broken = build(&project).await?;
    assert_eq!(broken.code, Some(2), "{broken}");
    project.write("src/app.ts", hello("two"))?;
    let rebuilt = build(&project).await?;
    assert_eq!(rebuilt.code, Some(0), "{rebuilt}");
    // The host compiles it first, which takes its time without optimisation.
    eventually("the new guest", SWAP_BOUND, async || {
        let answer = host.client().get("/any").await;
        let text = answer.map_err(|error| format!("{error:#}"))?.text();
        if text == "two" { Ok(()) } else { Err(text) }
    })
    .await?;
    let head = host.client().request(Method::HEAD, "/any");
    assert_eq!(berth_e2e::Answer::to(head).await?.status, 200);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_with_its_place() -> Result<()> {
    let cases = [
        (
            "const n: number = \"x\";\nexport default { fetch: () => n };\n",
            "app.ts(1,7): error TS2322",
        ),
        (
            "import { readFileSync } from \"node:fs\";\nexport default { fetch: () => new Response(readFileSync(\"x\")) };\n",
            "a module of Node.js",
        ),
        (
            "import { DaprClient } from \"@dapr/dapr\";\nnew DaprClient();\n",
            "offers nothing",
        ),
        (
            "throw new Error(\"at the top\");\nexport default { fetch: () => new Response() };\n",
            "at the top",
        ),
    ];
    for (program, said) in cases {
        let project = Folder::new()?;
        project.write("package.json", r#"{"name": "wrong"}"#)?;
        project.write("src/app.ts", program)?;
        let refused = build(&project).await?;
        assert_eq!(refused.code, Some(2), "{refused}");
        assert!(
            refused.stderr.contains(said),
            "`{said}` is not in: {refused}"
        );
        assert!(!project.path().join("wrong.wasm").exists(), "half a guest");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_in_python_is_said_with_its_place() -> Result<()> {
    let handler =
        "from dapr.ext.grpc import App\napp = App()\n@app.method('x')\ndef x(request): ...\n";
    let cases = [
        ("def f(:\n".to_owned(), "app.py, line 1"),
        (
            "import nothing_of_the_kind\n".to_owned(),
            "app.py:1: ModuleNotFoundError",
        ),
        ("import dapr.clients\n".to_owned(), "offers nothing"),
        (
            format!(
                "{handler}from dapr.clients import DaprClient\nDaprClient().get_state('s', 'k')\n"
            ),
            "get_state is called while the guest is built",
        ),
        (
            format!("{handler}app.method('x')(print)\n"),
            "app.py:5: ValueError: x is already registered",
        ),
    ];
    for (program, said) in cases {
        let project = Folder::new()?;
        project.write("pyproject.toml", "[project]\nname = \"wrong\"\n")?;
        project.write("app.py", program)?;
        let refused = build(&project).await?;
        assert_eq!(refused.code, Some(2), "{refused}");
        assert!(
            refused.stderr.contains(said),
            "`{said}` is not in: {refused}"
        );
        assert!(!project.path().join("wrong.wasm").exists(), "half a guest");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_without_a_project_is_refused() -> Result<()> {
    let project = Folder::new()?;
    let refused = build(&project).await?;
    assert_eq!(refused.code, Some(2), "{refused}");
    assert!(refused.stderr.contains("package.json"), "{refused}");
    assert_eq!(fs::read_dir(project.path())?.count(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_program_cannot_do_at_its_start_is_a_warning() -> Result<()> {
    let project = Folder::new()?;
    project.write("package.json", r#"{"name": "early"}"#)?;
    let program = "import { DaprClient } from \"@dapr/dapr\";\nnew DaprClient().state.get(\"statestore\", process.env.KEY ?? \"k\");\n\
                   export default { fetch: async () => new Response() };\n";
    project.write("src/app.ts", program)?;
    let built = build(&project).await?.json();
    let warnings = built["warnings"].to_string();
    assert!(
        warnings.contains("state.get from statestore") && warnings.contains("process.env.KEY"),
        "{warnings}"
    );
    // Nothing has changed, and they are still true.
    assert_eq!(
        build(&project).await?.json()["warnings"].to_string(),
        warnings
    );
    Ok(())
}

/// `berth build` where no tool is found.
async fn built_without_compiler(project: &Folder) -> Result<Finished> {
    let command = berth(["build"])?
        .arg(project.path())
        .env("PATH", "/nowhere");
    let missing = command.run().await?;
    assert_eq!(missing.code, Some(2), "{missing}");
    Ok(missing)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_in_c_that_is_wrong_or_has_no_compiler_is_told_so() -> Result<()> {
    let project = Folder::new()?;
    project.write("berth.toml", "name = \"wrong\"\noffers = [\"http\"]\n")?;
    let empty = build(&project).await?;
    assert!(empty.stderr.contains("no C files in"), "{empty}");
    project.write("src/app.c", "#include \"berth.h\"\nint x = ;\n")?;
    let refused = build(&project).await?;
    assert_eq!(refused.code, Some(2), "{refused}");
    assert!(refused.stderr.contains("src/app.c:2:"), "{refused}");
    let missing = built_without_compiler(&project).await?;
    assert!(
        missing.stderr.contains("no `clang` on the PATH"),
        "{missing}"
    );
    assert!(
        missing.stderr.contains("wasi-libc"),
        "what to install: {missing}"
    );
    assert!(!project.path().join("wrong.wasm").exists(), "half a guest");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_in_go_is_built_once_and_what_is_wrong_with_it_is_said() -> Result<()> {
    let project = Folder::new()?;
    let sdk = "require berth.dev/sdk v0.1.0\n\nreplace berth.dev/sdk => ./.berth/wit/sdk/go\n";
    project.write("go.mod", format!("module tea\n\ngo 1.24\n\n{sdk}"))?;
    project.write("app.go", "package main\n\nvar x int = \"y\"\n")?;
    let refused = build(&project).await?;
    assert_eq!(refused.code, Some(2), "{refused}");
    assert!(refused.stderr.contains("app.go:3:"), "{refused}");
    project.write("app.go", "package main\n\nfunc main() {}\n")?;
    let empty = build(&project).await?;
    assert!(empty.stderr.contains("offers nothing"), "{empty}");
    assert!(!project.path().join("tea.wasm").exists(), "half a guest");

    let program = "package main\n\nimport _ \"berth.dev/sdk/web\"\n\nfunc main() {}\n";
    project.write("app.go", program)?;
    let first = build(&project).await?.json();
    assert_eq!(first["unchanged"], false, "{first}");
    assert_eq!(first["offers"], serde_json::json!(["web"]), "{first}");
    let again = build(&project).await?.json();
    assert_eq!(again["unchanged"], true, "{again}");

    let missing = built_without_compiler(&project).await?;
    assert!(
        missing.stderr.contains("or newer on the PATH") && missing.stderr.contains("install Go"),
        "{missing}"
    );
    Ok(())
}
