//! New projects.

use crate::{Error, Language, carried};
use anyhow::Context;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

const TEMPLATES: &str = "host/toolchains/templates/typescript";
/// Files of every project: in the binary, and where they go.
const COMMON: [(&str, &str); 7] = [
    ("package.json", "package.json"),
    ("tsconfig.json", "tsconfig.json"),
    ("gitignore", ".gitignore"),
    ("app.yaml", "app.yaml"),
    ("README.md", "README.md"),
    ("AGENTS.md", "AGENTS.md"),
    ("src/app.ts", "src/app.ts"),
];
const NAME_LENGTH_MAX: usize = 63;

/// What a new project shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    /// Answers requests, with state.
    Http,
    /// Receives messages.
    Subscriber,
    /// Runs a workflow.
    Workflow,
    /// All of it.
    Full,
}

impl Template {
    /// Modules below `src`.
    fn parts(self) -> &'static [&'static str] {
        match self {
            Self::Http => &["visits"],
            Self::Subscriber => &["messages"],
            Self::Workflow => &["greetings"],
            Self::Full => &["visits", "messages", "greetings"],
        }
    }
}

/// Makes a project in `parent/name` and gives its folder. Whatever goes wrong, nothing is left behind.
///
/// # Errors
/// The name is no app ID, the folder is not empty, there is no template of the language, or the disk is full.
pub fn create(
    parent: &Path,
    name: &str,
    language: Language,
    template: Template,
) -> Result<PathBuf, Error> {
    if language != Language::JavaScript {
        return Err(Error::wrong(
            format!("there is no template for {language} yet"),
            "start from guest-examples, or from --lang ts",
        ));
    }
    check_name(name)?;
    let folder = parent.join(name);
    check_free(&folder)?;
    let draft = parent.join(format!(".{name}.new"));
    let made = write(&draft, name, template).and_then(|()| take_place(&draft, &folder));
    if made.is_err() {
        let _ = fs::remove_dir_all(&draft);
    }
    made.map(|()| folder)
}

/// The name becomes an app ID, a file and a folder.
fn check_name(name: &str) -> Result<(), Error> {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let fine = (1..=NAME_LENGTH_MAX).contains(&name.len())
        && name.bytes().all(inside)
        && !name.starts_with('-')
        && !name.ends_with('-');
    if fine {
        return Ok(());
    }
    Err(Error::wrong(
        format!("`{name}` cannot be the name of an app"),
        format!(
            "use 1 to {NAME_LENGTH_MAX} lower-case letters, digits and `-`, such as `order-service`"
        ),
    ))
}

fn check_free(folder: &Path) -> Result<(), Error> {
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(Error::wrong(
                format!("the folder {} is not empty", folder.display()),
                "choose another name, or remove what is there",
            )),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::wrong(
            format!("{}: {error}", folder.display()),
            "choose another name",
        )),
    }
}

fn write(folder: &Path, name: &str, template: Template) -> Result<(), Error> {
    let parts = template.parts();
    let each =
        |line: &dyn Fn(&str) -> String| parts.iter().map(|part| line(part)).collect::<String>();
    let fill = |text: &str| {
        text.replace(
            "{{try}}",
            &each(&|part| template_file(&format!("try/{part}.md")).to_owned()),
        )
        .replace(
            "{{imports}}",
            &each(&|part| format!("import * as {part} from \"./{part}\";\n")),
        )
        .replace(
            "{{offers}}",
            &each(&|part| format!("{part}.offer(server);\n")),
        )
        .replace("{{name}}", name)
    };
    let modules = parts.iter().map(|part| format!("src/{part}.ts"));
    let files = COMMON
        .iter()
        .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()));
    for (from, to) in files.chain(modules.map(|module| (module.clone(), module))) {
        let path = folder.join(to);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
        }
        fs::write(&path, fill(template_file(&from)))
            .with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

fn template_file(name: &str) -> &'static str {
    carried::file(&format!("{TEMPLATES}/{name}"))
}

/// An empty folder may be there; renaming replaces it.
fn take_place(draft: &Path, folder: &Path) -> Result<(), Error> {
    fs::rename(draft, folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create_in(parent: &Path, name: &str) -> Result<PathBuf, Error> {
        create(parent, name, Language::JavaScript, Template::Full)
    }

    #[test]
    fn every_template_is_complete() {
        for template in [
            Template::Http,
            Template::Subscriber,
            Template::Workflow,
            Template::Full,
        ] {
            let parent = tempfile::tempdir().unwrap();
            let folder = create(parent.path(), "shop", Language::JavaScript, template).unwrap();
            for part in template.parts() {
                assert!(folder.join(format!("src/{part}.ts")).is_file());
            }
            for (_, file) in COMMON {
                let text = fs::read_to_string(folder.join(file)).unwrap();
                assert!(!text.is_empty() && !text.contains("{{"), "{file}: {text}");
            }
            assert!(
                fs::read_to_string(folder.join("app.yaml"))
                    .unwrap()
                    .contains("name: shop")
            );
            assert_eq!(
                fs::read_dir(parent.path()).unwrap().count(),
                1,
                "nothing besides"
            );
        }
    }

    #[test]
    fn an_empty_folder_is_taken_a_full_one_is_not() {
        let parent = tempfile::tempdir().unwrap();
        fs::create_dir(parent.path().join("empty")).unwrap();
        create_in(parent.path(), "empty").unwrap();
        let again = create_in(parent.path(), "empty").unwrap_err();
        assert!(again.to_string().contains("is not empty"), "{again}");
        fs::write(parent.path().join("file"), "").unwrap();
        assert!(create_in(parent.path(), "file").is_err());
        assert_eq!(
            fs::read_dir(parent.path()).unwrap().count(),
            2,
            "nothing half written"
        );
    }

    #[test]
    fn a_name_must_be_an_app_id() {
        let parent = tempfile::tempdir().unwrap();
        for name in ["", "Shop", "a b", "../up", "-x", "x-", "a/b"] {
            assert!(create_in(parent.path(), name).is_err(), "{name}");
        }
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
