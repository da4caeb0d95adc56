//! Where documents come from: what the command line says, in the terms of the resources crate.

use crate::failure::Failure;
use berth_resources::{AppId, Namespace, Source};
use std::path::{Path, PathBuf};

/// Everything that a deployment is read from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// In the order of the command line.
    pub list: Vec<Source>,
    /// The namespace of documents that name none.
    pub namespace: Namespace,
    /// Apps that have no document of their own: single guests, and native programs.
    pub known_apps: Vec<AppId>,
}

impl Sources {
    /// What `berth run` was given.
    pub fn new(
        path: &Path,
        resources_paths: Vec<PathBuf>,
        configs: Vec<PathBuf>,
        namespace: Namespace,
        app_id: Option<AppId>,
    ) -> Result<Self, Failure> {
        let mut sources = Self::default();
        sources.add(path, &namespace, app_id)?;
        sources.add_flags(&resources_paths, &configs, &namespace);
        Ok(sources)
    }

    /// A folder of documents, or a guest.
    pub fn add(
        &mut self,
        path: &Path,
        namespace: &Namespace,
        app_id: Option<AppId>,
    ) -> Result<(), Failure> {
        self.namespace = namespace.clone();
        if path.is_dir() {
            self.add_dir(path);
            return Ok(());
        }
        let is_document = ["yaml", "yml"]
            .iter()
            .any(|ext| path.extension().is_some_and(|own| own == *ext));
        match std::fs::metadata(path) {
            Ok(_) if is_document => {
                self.add_dir(path);
                Ok(())
            }
            Ok(_) => self.add_guest(path, app_id),
            Err(error) => {
                let error = anyhow::Error::from(error);
                let shown = path.display();
                Err(Failure::input(error.context(format!("reading {shown}")))
                    .hint("name a folder with App documents, or a guest: berth run DIR|GUEST.wasm"))
            }
        }
    }

    fn add_dir(&mut self, path: &Path) {
        self.list.push(Source::Dir(path.to_owned()));
    }

    /// A guest without a document gets one that says nothing but its name.
    fn add_guest(&mut self, path: &Path, app_id: Option<AppId>) -> Result<(), Failure> {
        let app_id = match app_id {
            Some(app_id) => app_id,
            None => app_id_of(path)?,
        };
        let guest = std::path::absolute(path)?;
        let document = serde_json::json!({
            "apiVersion": "berth.dev/v1alpha1",
            "kind": "App",
            "metadata": { "name": app_id.as_str() },
            "spec": { "guest": guest.to_string_lossy() },
        });
        self.known_apps.push(app_id);
        // JSON is YAML, and needs no quoting rules of ours.
        self.list.push(Source::Text {
            name: path.to_owned(),
            text: document.to_string(),
        });
        Ok(())
    }

    /// `--resources-path` and `--config`.
    pub fn add_flags(
        &mut self,
        resources_paths: &[PathBuf],
        configs: &[PathBuf],
        namespace: &Namespace,
    ) {
        self.namespace = namespace.clone();
        self.list
            .extend(resources_paths.iter().cloned().map(Source::ResourcesPath));
        self.list
            .extend(configs.iter().cloned().map(Source::Config));
    }
}

fn app_id_of(path: &Path) -> Result<AppId, Failure> {
    AppId::of_file(path).ok_or_else(|| {
        let shown = path.display();
        Failure::input_text(format_args!(
            "no app ID can be made of the file name {shown}"
        ))
        .hint("give one with --app-id")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_is_named_after_its_file() {
        for (file, expected) in [
            ("target/order_service.wasm", "order_service"),
            ("hello.component.wasm", "hello-component"),
            ("_x_.wasm", "x"),
        ] {
            assert_eq!(app_id_of(Path::new(file)).unwrap().as_str(), expected);
        }
        insta::assert_snapshot!(app_id_of(Path::new("___.wasm")).unwrap_err(), @r"
        no app ID can be made of the file name ___.wasm
          hint: give one with --app-id
        ");
    }

    #[test]
    fn a_path_that_is_not_there_is_named() {
        let failure = Sources::default().add(Path::new("/nowhere"), &Namespace::default(), None);
        insta::assert_snapshot!(failure.unwrap_err(), @r"
        reading /nowhere: No such file or directory (os error 2)
          hint: name a folder with App documents, or a guest: berth run DIR|GUEST.wasm
        ");
    }
}
