//! Many scenarios at once: found in folders, run on as many threads as there are processors.

use crate::{Kit, Ran, RunOptions, TestFile, read_test, run_scenario};
use berth_resources::{Diagnostic, scenario::Scenario, scenario::find_tests};
use parking_lot::Mutex;
use std::{
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// The files of scenarios below folders, or named by themselves.
#[derive(Debug, Default)]
pub struct Suite {
    /// Those that could be read.
    pub files: Vec<TestFile>,
    /// What is wrong with the others.
    pub findings: Vec<Diagnostic>,
}

impl Suite {
    /// Finds and reads them.
    #[must_use]
    pub fn read(paths: &[PathBuf]) -> Self {
        let mut suite = Self::default();
        for path in paths {
            for file in find_tests(path, &mut suite.findings) {
                match read_test(&file) {
                    Ok(file) => suite.files.push(file),
                    Err(findings) => suite.findings.extend(findings),
                }
            }
        }
        suite.findings.sort();
        suite.findings.dedup();
        suite
    }

    /// Runs every scenario that is meant, `threads` at the same time, and tells each as soon as it is done. The answer
    /// is in the order of the files.
    pub fn run(
        &self,
        kit: &Kit,
        options: &RunOptions,
        threads: usize,
        tell: impl Fn(&Ran) + Sync,
    ) -> Vec<Ran> {
        let meant: Vec<(&TestFile, &Scenario)> = self
            .files
            .iter()
            .flat_map(|file| file.scenarios.iter().map(move |scenario| (file, scenario)))
            .filter(|(file, scenario)| options.means(&file.path, scenario))
            .collect();
        let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        thread::scope(|scope| {
            for _ in 0..threads.clamp(1, meant.len().max(1)) {
                scope.spawn(|| {
                    loop {
                        let place = next.fetch_add(1, Ordering::Relaxed);
                        let Some((file, scenario)) = meant.get(place) else {
                            return;
                        };
                        let ran = run_scenario(kit, &file.path, scenario, options);
                        tell(&ran);
                        done.lock().push((place, ran));
                    }
                });
            }
        });
        let mut done = done.into_inner();
        done.sort_by_key(|(place, _)| *place);
        done.into_iter().map(|(_, ran)| ran).collect()
    }
}
