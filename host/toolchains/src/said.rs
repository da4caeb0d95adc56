//! What a build says of itself: lines `berth-build:JSON` in its output, among those of the program.

use serde::Deserialize;
use serde_json::Value;
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    path::PathBuf,
};

/// Marks lines for us.
const MARK: &str = "berth-build:";
/// What a guest has: field of the line, and how one is called.
const KINDS: [(&str, &str); 4] = [
    ("methods", "method"),
    ("subscriptions", "subscription"),
    ("workflows", "workflow"),
    ("activities", "activity"),
];

#[derive(Deserialize)]
struct Line {
    kind: String,
    content: Value,
}

/// What the lines said.
#[derive(Default)]
pub struct Said {
    pub inputs: Vec<PathBuf>,
    pub warnings: Vec<String>,
    pub offers: Vec<String>,
    pub error: Option<String>,
    /// The tool that refused the program.
    pub refused_by: Option<String>,
}

impl Said {
    /// Hears a build to its end; what the program writes goes to standard error.
    pub fn of(stdout: impl Read) -> Self {
        let mut said = Self::default();
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            said.hear(&line);
        }
        said
    }

    /// Hears one of several builds that a process does, up to its line `done`. Nothing: the process has ended.
    pub fn next(stdout: &mut impl BufRead, say: &dyn Fn(&str)) -> Option<Self> {
        let mut said = Self::default();
        for line in stdout.lines().map_while(Result::ok) {
            match line.strip_prefix(MARK).map(serde_json::from_str::<Line>) {
                Some(Ok(Line { kind, content })) if kind == "done" => {
                    said.refused_by = content.as_str().map(str::to_owned);
                    return Some(said);
                }
                Some(Ok(Line { kind, content })) if kind == "step" => {
                    say(content.as_str().unwrap_or_default());
                }
                _ => said.hear(&line),
            }
        }
        None
    }

    pub fn hear(&mut self, text: &str) {
        let line = text.strip_prefix(MARK).map(serde_json::from_str::<Line>);
        let Some(Ok(Line { kind, content })) = line else {
            // The program's own, from its top level.
            eprint_bytes(format!("{text}\n").as_bytes());
            return;
        };
        let words = || content.as_str().unwrap_or_default().to_owned();
        match kind.as_str() {
            "warning" => self.warnings.push(words()),
            "error" => self.error = Some(words()),
            "inputs" => self.inputs = serde_json::from_value(content).unwrap_or_default(),
            "guest" => self.offers = offers(&content),
            _ => {}
        }
    }
}

pub fn eprint_bytes(bytes: &[u8]) {
    let _ = io::stderr().lock().write_all(bytes);
}

fn offers(guest: &Value) -> Vec<String> {
    let http = guest["http"].as_str().map(str::to_owned);
    let named = KINDS.iter().flat_map(|(field, word)| {
        let names = guest[field].as_array().into_iter().flatten();
        names.filter_map(move |name| Some(format!("{word} {}", name.as_str()?)))
    });
    http.into_iter().chain(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn builds_that_follow_each_other_are_told_apart() {
        let mut stdout = "hello from the program\n\
            berth-build:{\"kind\":\"step\",\"content\":\"installing\"}\n\
            berth-build:{\"kind\":\"inputs\",\"content\":[\"/a.ts\"]}\n\
            berth-build:{\"kind\":\"done\",\"content\":null}\n\
            berth-build:{\"kind\":\"done\",\"content\":\"TypeScript\"}\n\
            berth-build:{\"kind\":\"warning\",\"content\":\"cut off\"}\n"
            .as_bytes();
        let steps = std::cell::RefCell::new(Vec::new());
        let mut next = || {
            Said::next(&mut stdout, &|step| {
                steps.borrow_mut().push(step.to_owned())
            })
        };
        let first = next().unwrap();
        assert_eq!(
            (first.refused_by, first.inputs),
            (None, vec!["/a.ts".into()])
        );
        assert_eq!(next().unwrap().refused_by.as_deref(), Some("TypeScript"));
        assert!(next().is_none());
        assert_eq!(*steps.borrow(), ["installing"]);
    }

    #[test]
    fn the_lines_of_a_build_are_understood() {
        let mut said = Said::default();
        for line in [
            r#"berth-build:{"kind":"warning","content":"too early"}"#,
            r#"berth-build:{"kind":"inputs","content":["/a.ts"]}"#,
            r#"berth-build:{"kind":"guest","content":{"http":"fetch","methods":["POST /x"],"workflows":["w"]}}"#,
        ] {
            said.hear(line);
        }
        assert_eq!(said.warnings, ["too early"]);
        assert_eq!(said.inputs, [Path::new("/a.ts")]);
        assert_eq!(said.offers, ["fetch", "method POST /x", "workflow w"]);
    }
}
