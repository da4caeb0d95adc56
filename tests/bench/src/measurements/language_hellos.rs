//! The smallest program in every language, with its SDK and its toolchain, beside `wasmtime serve` on the same component: an
//! engine that a language brings along costs both of them. Not in Python, whose guests import all building blocks, which
//! `wasmtime serve` does not have. The host's work for a request is its processor time, the kernel's on its behalf included.

use super::languages::{app, guest, project};
use crate::{
    host::{self, REUSE},
    paths,
    peers::{wasmtime::Wasmtime, wrk},
    report::{Budget, Line, Unit},
    samples::{Samples, alternate},
    settings::Settings,
};
use anyhow::{Context, Result};
use std::{fs, path::Path};

/// A language, and the files that make its template answer `GET /visits` by itself; an empty one is removed.
const PROGRAMS: [(&str, &[(&str, &str)]); 4] = [
    (
        "rust",
        &[(
            "src/lib.rs",
            "use berth_sdk::http::{Request, Router};\nberth_sdk::guest! {\n    http: routes,\n}\n\
             fn routes() -> Router {\n    Router::new().get(\"/visits\", |_: Request| \"Hello, world!\\n\")\n}\n",
        )],
    ),
    (
        "go",
        &[
            (
                "app.go",
                "package main\nimport (\n\t\"io\"\n\t\"net/http\"\n\t_ \"berth.dev/sdk/web\"\n)\nfunc init() {\n\
                 \thttp.HandleFunc(\"GET /visits\", func(w http.ResponseWriter, r *http.Request) {\n\
                 \t\tio.WriteString(w, \"Hello, world!\\n\")\n\t})\n}\nfunc main() {}\n",
            ),
            ("visits.go", ""),
        ],
    ),
    (
        "c",
        &[
            (
                "src/app.c",
                "#include \"app.h\"\nvoid berth_on_request(const berth_request *request, berth_response *response) {\n\
                 \x20 response->body = berth_text(\"Hello, world!\\n\");\n}\n",
            ),
            ("src/visits.c", ""),
        ],
    ),
    (
        "js",
        &[(
            "src/app.ts",
            "export default { fetch: () => new Response(\"Hello, world!\\n\") };\n",
        )],
    ),
];
const PATH: &str = "/visits";

pub fn run(settings: &Settings) -> Result<Vec<Line>> {
    wrk::ensure()?;
    let wasmtime = Wasmtime::ensure()?;
    let name = format!("{} serve", wasmtime.version()?);
    let folder = paths::scratch("language_hellos")?;
    let reuse = REUSE.to_string();
    let fresh: &[&str] = &["-S", "cli"];
    let used: &[&str] = &["-S", "cli", "--max-instance-reuse-count", &reuse];
    let mut lines = Vec::new();
    for (language, files) in PROGRAMS {
        let folder = folder.join(language);
        fs::create_dir(&folder).context("making the folder of a language")?;
        let project = project(settings, language, |project| write(project, files), &folder)?;
        let guest = guest(&project);
        // The only HTTP door in JavaScript that others know takes one call in the life of an instance.
        let (used, used_by) = match language {
            "js" => (fresh, format!("{name}, fresh")),
            _ => (used, name.clone()),
        };
        let modes = [("fresh", 1, fresh, &name), ("used", REUSE, used, &used_by)];
        for (instances, reuse, options, name) in modes {
            let own = folder.join(instances);
            fs::create_dir(&own).context("making a host's folder")?;
            let berth = host::run_apps(settings, &own, &host::in_memory()?, &[app(&guest, reuse)])?;
            let peer = wasmtime.serve(&guest, options, &own, PATH)?;
            let mut work = Samples::default();
            let [ours, theirs] = alternate(
                settings.rounds,
                [
                    Box::new(|| {
                        let before = berth.processor_time()?;
                        let rate = wrk::load(&berth.url(PATH), settings.round)?;
                        let spent = berth.processor_time()? - before;
                        work.push(
                            spent.as_secs_f64() * 1e6 / (rate * settings.round.as_secs_f64()),
                        );
                        Ok(rate)
                    }),
                    Box::new(|| wrk::load(&peer.url(PATH), settings.round)),
                ],
            )?;
            lines.push(Line::beside(
                &format!("{language}, {instances} instances"),
                Unit::PerSecond,
                &ours,
                (name, &theirs),
                Budget::None,
            ));
            if instances == "fresh" {
                let budget = match language {
                    "js" => Budget::AtMost(200.0),
                    _ => Budget::None,
                };
                let what = format!("{language}, the host's work for a request, fresh instances");
                lines.push(Line::alone(&what, Unit::Microseconds, &work, budget));
            }
        }
    }
    Ok(lines)
}

fn write(project: &Path, files: &[(&str, &str)]) -> Result<()> {
    for (name, content) in files {
        let path = project.join(name);
        if content.is_empty() {
            fs::remove_file(path).context("removing a file of the template")?;
        } else {
            fs::write(path, content).context("writing a program")?;
        }
    }
    Ok(())
}
