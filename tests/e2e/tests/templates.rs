//! `berth new`: every template of every language builds without a warning, and every command of its README does what the README
//! says, from an empty folder.

use anyhow::{Context, Result, ensure};
use berth_e2e::{Finished, Folder, Host, berth, eventually, repository, shell, timely};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Languages whose guests bring no runtime along, of 10 MB and more: that one is compiled for the README's template alone.
const LIGHT: [&str; 2] = ["rust", "c"];

/// The templates of one language.
macro_rules! languages {
    ($($language:ident)*) => {$(
        mod $language {
            use super::*;

            const LANGUAGE: &str = stringify!($language);

            #[tokio::test(flavor = "multi_thread")]
            async fn every_command_of_the_readme_does_what_it_says() -> Result<()> {
                let (_parent, project) = new(LANGUAGE, "full").await?;
                follow_readme(&project).await
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn every_template_builds_and_its_documents_are_right() -> Result<()> {
                for template in ["http", "subscriber", "workflow"] {
                    let (_parent, project) = new(LANGUAGE, template).await?;
                    succeeds("berth build", &project).await?;
                    let check = match LIGHT.contains(&LANGUAGE) {
                        true => "berth check .",
                        false => "berth check --no-guests .",
                    };
                    succeeds(check, &project).await?;
                }
                Ok(())
            }
        }
    )*};
}

languages! { ts rust c python go }

/// A new project in an empty folder, named as no other: they share the folder that cargo builds into.
async fn new(language: &str, template: &str) -> Result<(Folder, PathBuf)> {
    let parent = Folder::new()?;
    let name = format!("harbour-{template}");
    let line = format!("berth new {name} --lang {language} --template {template}");
    succeeds(&line, parent.path()).await?;
    let project = parent.path().join(name);
    Ok((parent, project))
}

/// Runs a line, with the toolchains of `cargo xtask setup`.
async fn run(line: &str, folder: &Path) -> Result<Finished> {
    let tools = repository().join("target/tools/berth");
    let shared = repository().join("target/guest-build");
    let command = shell(line, folder)?.env("BERTH_TOOLS_DIR", tools);
    // Packages of others are compiled once for all templates.
    let command = command.env("CARGO_TARGET_DIR", shared);
    command.env("BERTH_COMPILER", "baseline").run().await
}

async fn succeeds(line: &str, folder: &Path) -> Result<Finished> {
    let finished = run(line, folder).await?;
    ensure!(finished.code == Some(0), "{finished}");
    ensure!(!finished.text().contains("warning"), "{finished}");
    Ok(finished)
}

/// The README's first block builds and starts; the second tries what runs, and says what each line prints.
async fn follow_readme(project: &Path) -> Result<()> {
    let readme = fs::read_to_string(project.join("README.md"))?;
    let blocks = blocks(&readme);
    let [building, trying] = blocks.as_slice() else {
        anyhow::bail!("two blocks of commands, not {}", blocks.len());
    };
    let (starting, building) = building.split_last().context("no commands")?;
    for (line, _) in building {
        succeeds(line, project).await?;
    }
    ensure!(starting.0 == "berth run .", "{starting:?}");
    // As the README starts it, but on ports that are free.
    let host = Host::builder()
        .source(project)
        .data_dir(project.join(".berth"))
        .baseline();
    let host = host.start().await?;
    let address = host.client().address().to_string();
    ensure!(!trying.is_empty(), "nothing to try");
    for (line, printed) in trying {
        let line = line.replace("localhost:8080", &address);
        prints(&line, printed, project).await?;
    }
    Ok(())
}

/// Lines of the blocks of commands.
fn blocks(readme: &str) -> Vec<Vec<(&str, &str)>> {
    let blocks = readme.split("```sh\n").skip(1);
    let blocks = blocks.filter_map(|block| block.split("```").next());
    blocks
        .map(|block| block.lines().map(command).collect())
        .collect()
}

/// A command, and the comment at the end of its line.
fn command(line: &str) -> (&str, &str) {
    let (command, comment) = line.split_once("  # ").unwrap_or((line, ""));
    (command.trim(), comment.trim())
}

/// Runs a line until it prints this. One that changes something runs once.
async fn prints(line: &str, wanted: &str, project: &Path) -> Result<()> {
    let changes = ["-X", "--json", "-d", "publish"];
    if changes.iter().any(|flag| line.contains(flag)) {
        let finished = succeeds(line, project).await?;
        ensure!(
            finished.stdout.contains(wanted),
            "`{wanted}` is not what it printed: {finished}"
        );
        return Ok(());
    }
    eventually(
        &format!("`{line}` prints `{wanted}`"),
        timely(),
        async || {
            let finished = run(line, project)
                .await
                .map_err(|error| format!("{error:#}"))?;
            match finished.stdout.contains(wanted) {
                true => Ok(()),
                false => Err(finished.to_string()),
            }
        },
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_not_empty_is_left_alone() -> Result<()> {
    let parent = Folder::new()?;
    parent.write("harbour/notes.txt", "mine")?;
    for language in ["ts", "rust", "c", "go"] {
        let refused = berth(["new", "harbour", "--lang", language, "--dir"])?;
        let refused = refused.arg(parent.path()).run().await?;
        assert_eq!(refused.code, Some(2), "{refused}");
        assert!(refused.stderr.contains("is not empty"), "{refused}");
    }
    let left: Vec<_> = fs::read_dir(parent.path().join("harbour"))?.collect();
    assert_eq!(left.len(), 1, "nothing half written");
    Ok(())
}
