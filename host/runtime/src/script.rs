//! Guests that are an engine and a text for it: the text lies in a custom section at the end of the file, so that guests
//! with the same engine share what is compiled.

use wasmparser::{Chunk, Parser, Payload};
use wasmtime::{Engine, component::Component};

/// The section, as the WIT package says.
const SECTION: &str = "berth:script";
/// Whoever imports this needs the section.
const INTERFACE: &str = "berth:script/program@";

/// What a guest's file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parts<'f> {
    /// The component without its script.
    pub(crate) code: &'f [u8],
    pub(crate) script: Option<&'f str>,
}

/// Takes a file apart. What is no component, or broken, stays whole: its compiler says what is wrong.
pub(crate) fn parts(file: &[u8]) -> Parts<'_> {
    find(file).unwrap_or(Parts {
        code: file,
        script: None,
    })
}

fn find(file: &[u8]) -> Option<Parts<'_>> {
    let (mut parser, mut at) = (Parser::new(0), 0);
    loop {
        let (consumed, payload) = match parser.parse(file.get(at..)?, true).ok()? {
            Chunk::Parsed { consumed, payload } => (consumed, payload),
            Chunk::NeedMoreData(_) => return None,
        };
        match payload {
            // What lies inside is not looked at.
            Payload::ModuleSection {
                unchecked_range, ..
            }
            | Payload::ComponentSection {
                unchecked_range, ..
            } => at = unchecked_range.end,
            Payload::CustomSection(section)
                if section.name() == SECTION && at + consumed == file.len() =>
            {
                return Some(Parts {
                    code: file.get(..at)?,
                    script: Some(std::str::from_utf8(section.data()).ok()?),
                });
            }
            Payload::End(_) => return None,
            _ => at += consumed,
        }
    }
}

/// Whether a component asks for a script.
pub(crate) fn is_wanted(engine: &Engine, component: &Component) -> bool {
    let types = component.component_type();
    types
        .imports(engine)
        .any(|(name, _)| name.starts_with(INTERFACE))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENGINE: &str =
        r#"(component (core module (func (export "f"))) (component) (type (func)))"#;

    /// A custom section whose lengths fit into one byte each.
    fn section(name: &str, content: &[u8]) -> Vec<u8> {
        let length = |bytes: &[u8]| u8::try_from(bytes.len()).unwrap();
        let body = [&[length(name.as_bytes())], name.as_bytes(), content].concat();
        [&[0, length(&body)], body.as_slice()].concat()
    }

    #[test]
    fn the_script_lies_behind_the_engine() {
        let engine = wat::parse_str(ENGINE).unwrap();
        let file = [engine.clone(), section(SECTION, b"print('hi')")].concat();
        let script = Some("print('hi')");
        assert_eq!(
            parts(&file),
            Parts {
                code: &engine,
                script
            }
        );
    }

    #[test]
    fn what_has_no_script_stays_whole() {
        let engine = wat::parse_str(ENGINE).unwrap();
        let with = |tail: Vec<u8>| [engine.clone(), tail].concat();
        let files = [
            engine.clone(),
            with(section("producers", b"x")),
            with(section(SECTION, b"\xff")),
            // Not at the end.
            with([section(SECTION, b"x"), section("name", b"")].concat()),
            with(vec![0]),
            b"\0asm".to_vec(),
            Vec::new(),
        ];
        for code in &files {
            assert_eq!(parts(code), Parts { code, script: None });
        }
    }
}
