//! New projects, from `templates/<language>`:
//!
//! - `project/` holds the files of every project, `<part>/project/` those of a part, such as `visits`; `every/<part>/project/`
//!   those of a part in all languages. `gitignore` becomes `.gitignore`.
//! - `{{name}}` is the name of the project, `{{name_}}` the same as an identifier.
//! - A line with `{{part}}` is written once for each part.
//! - Any other `{{file}}` is what the parts have in the file of that name, one after another: `{{try.sh}}`.

use crate::{Error, Language, carried};
use anyhow::Context;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

const TEMPLATES: &str = "host/toolchains/templates";
/// Files of a project lie below this in the folder of the language and in that of a part.
const PROJECT: &str = "project";
/// Parts for all languages: what a guest does is tested alike, whatever it is written in.
const EVERY: &str = "host/toolchains/templates/every";
/// Named without the dot in the repository, where it would have an effect.
const HIDDEN: (&str, &str) = ("gitignore", ".gitignore");
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
    /// Folders beside `project`.
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
    check_name(name)?;
    check_language(language)?;
    let folder = parent.join(name);
    check_free(&folder)?;
    let draft = parent.join(format!(".{name}.new"));
    let made = write(&draft, name, language, template).and_then(|()| take_place(&draft, &folder));
    if made.is_err() {
        let _ = fs::remove_dir_all(&draft);
    }
    made.map(|()| folder)
}

/// The name becomes an app ID, a file, a folder and a package, which in some languages begins with a letter.
fn check_name(name: &str) -> Result<(), Error> {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let fine = (1..=NAME_LENGTH_MAX).contains(&name.len())
        && name.bytes().all(inside)
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-');
    if fine {
        return Ok(());
    }
    Err(Error::wrong(
        format!("`{name}` cannot be the name of an app"),
        format!(
            "use 1 to {NAME_LENGTH_MAX} lower-case letters, digits and `-`, a letter first, such as `order-service`"
        ),
    ))
}

fn check_language(language: Language) -> Result<(), Error> {
    if has_templates(language) {
        return Ok(());
    }
    let others = Language::ALL
        .into_iter()
        .filter(|other| has_templates(*other))
        .map(Language::short_name);
    Err(Error::wrong(
        format!("there is no template for {language} yet"),
        format!(
            "start from guest-examples, or from --lang {}",
            others.collect::<Vec<_>>().join("|")
        ),
    ))
}

fn has_templates(language: Language) -> bool {
    !carried::below(&folder_of(language)).is_empty()
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

fn write(folder: &Path, name: &str, language: Language, template: Template) -> Result<(), Error> {
    let root = folder_of(language);
    let parts = template.parts();
    let of_part =
        |part: &&str| [root.as_str(), EVERY].map(|root| format!("{root}/{part}/{PROJECT}"));
    let of_parts = parts.iter().flat_map(of_part);
    for from in [format!("{root}/{PROJECT}")].into_iter().chain(of_parts) {
        for (file, text) in carried::below(&from) {
            let file = if file == HIDDEN.0 { HIDDEN.1 } else { file };
            let path = folder.join(file);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)
                    .with_context(|| format!("making {}", parent.display()))?;
            }
            fs::write(&path, fill(text, name, &root, parts))
                .with_context(|| format!("writing {}", path.display()))?;
        }
    }
    Ok(())
}

fn folder_of(language: Language) -> String {
    format!("{TEMPLATES}/{}", language.short_name())
}

/// Puts the name and the parts into a file of a template.
fn fill(text: &str, name: &str, root: &str, parts: &[&str]) -> String {
    let each_part = |line: &str| match line.contains("{{part}}") {
        true => parts
            .iter()
            .map(|part| line.replace("{{part}}", part))
            .collect(),
        false => line.to_owned(),
    };
    let text: String = text.split_inclusive('\n').map(each_part).collect();
    let text = snippets(&text, root, parts);
    text.replace("{{name}}", name)
        .replace("{{name_}}", &name.replace('-', "_"))
}

/// Puts in what the parts have in files of their own, which may be nothing.
fn snippets(text: &str, root: &str, parts: &[&str]) -> String {
    Template::Full
        .parts()
        .iter()
        .flat_map(|part| carried::below(&format!("{root}/{part}")))
        .map(|(file, _)| file)
        .filter(|file| !file.contains('/'))
        .fold(text.to_owned(), |text, file| {
            let of_parts = parts
                .iter()
                .map(|part| carried::file(&format!("{root}/{part}/{file}")));
            text.replace(&format!("{{{{{file}}}}}"), &of_parts.collect::<String>())
        })
}

/// An empty folder may be there; renaming replaces it.
fn take_place(draft: &Path, folder: &Path) -> Result<(), Error> {
    fs::rename(draft, folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Template; 4] = [
        Template::Http,
        Template::Subscriber,
        Template::Workflow,
        Template::Full,
    ];

    fn create_in(parent: &Path, name: &str) -> Result<PathBuf, Error> {
        create(parent, name, Language::JavaScript, Template::Full)
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let (folders, mut found): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
        found.extend(folders.iter().flat_map(|folder| files(folder)));
        found
    }

    #[test]
    fn every_template_of_every_language_is_complete() {
        for language in Language::ALL {
            if check_language(language).is_err() {
                continue;
            }
            for template in ALL {
                let parent = tempfile::tempdir().unwrap();
                let folder = create(parent.path(), "tea-shop", language, template).unwrap();
                let made = files(&folder);
                for part in template.parts() {
                    let scenarios = folder.join(format!("{part}.test.yaml"));
                    assert!(made.contains(&scenarios), "{language}: {part}");
                }
                for needed in [
                    "app.yaml",
                    "README.md",
                    "AGENTS.md",
                    ".gitignore",
                    language.manifest(),
                ] {
                    assert!(made.contains(&folder.join(needed)), "{language}: {needed}");
                }
                for file in made {
                    let text = fs::read_to_string(&file).unwrap();
                    assert!(!text.contains("{{"), "{}: {text}", file.display());
                }
                let app = fs::read_to_string(folder.join("app.yaml")).unwrap();
                assert!(app.contains("name: tea-shop"), "{app}");
                assert_eq!(
                    fs::read_dir(parent.path()).unwrap().count(),
                    1,
                    "nothing besides"
                );
            }
        }
    }

    #[test]
    fn names_lines_and_snippets_of_parts_are_filled_in() {
        let parts = ["visits", "greetings"];
        let root = folder_of(Language::JavaScript);
        let filled = fill(
            "use {{part}};\n{{name}} {{name_}}\n{{try.sh}}",
            "a-b",
            &root,
            &parts,
        );
        let (head, commands) = filled.split_at("use visits;\nuse greetings;\na-b a_b\n".len());
        assert_eq!(head, "use visits;\nuse greetings;\na-b a_b\n");
        assert!(
            commands.contains("/visits") && commands.contains("/greetings"),
            "{commands}"
        );
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
        for name in ["", "Shop", "a b", "../up", "-x", "x-", "a/b", "3d"] {
            assert!(create_in(parent.path(), name).is_err(), "{name}");
        }
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
