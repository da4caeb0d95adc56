use super::*;
use crate::scratch::Scratch;
use std::{path::Path, time::Duration};

type Answer<T> = Result<T, EngineError>;

async fn open_at(scratch: &Scratch, path: &Path) -> Result<Arc<Database>, OpenError> {
    let location = Location::File(path.to_owned());
    Database::shared(&scratch.context(), location, Options::default()).await
}

async fn open(scratch: &Scratch) -> Arc<Database> {
    let database = open_at(scratch, &scratch.database()).await.unwrap();
    let create = database.apply(|transaction| {
        transaction.execute_batch("CREATE TABLE IF NOT EXISTS note (text TEXT UNIQUE)")
    });
    create.await.unwrap();
    database
}

async fn note(database: &Database, text: &str) -> Answer<()> {
    let text = text.to_owned();
    let write = database.apply(move |transaction| {
        transaction
            .execute("INSERT INTO note VALUES (?1)", [text])
            .map(drop)
    });
    write.await
}

async fn notes(database: &Database) -> Vec<String> {
    let read = database.read(|connection| {
        let mut notes = connection.prepare("SELECT text FROM note ORDER BY text")?;
        let rows = notes.query_map([], |row| row.get(0))?;
        Ok::<_, JobError<EngineError>>(rows.collect::<Result<_, _>>()?)
    });
    read.await.unwrap()
}

async fn open_error(scratch: &Scratch, path: &Path) -> String {
    scratch.told(open_at(scratch, path).await.err().unwrap())
}

/// So that a host which is out of files goes on reading.
#[tokio::test]
async fn every_reader_has_its_files_from_the_first_read_on() {
    let scratch = Scratch::new();
    let database = open(&scratch).await;
    assert!(notes(&database).await.is_empty());
    let log = format!("{}-wal", scratch.database().display());
    let files = std::fs::read_dir("/proc/self/fd").unwrap();
    let open = files
        .filter_map(|file| std::fs::read_link(file.ok()?.path()).ok())
        .filter(|path| path.as_os_str() == log.as_str())
        .count();
    assert_eq!(open, 1 + readers::THREADS);
}

#[tokio::test]
async fn a_job_that_fails_leaves_no_trace_and_harms_no_neighbour() {
    let scratch = Scratch::new();
    let database = open(&scratch).await;
    let fails = database.write::<(), _>(|transaction| {
        transaction.execute("INSERT INTO note VALUES ('undone')", [])?;
        transaction.execute("INSERT INTO missing VALUES (1)", [])?;
        Ok::<_, JobError<EngineError>>(())
    });
    let refuses = database.write::<(), _>(|transaction| {
        transaction.execute("INSERT INTO note VALUES ('refused')", [])?;
        refused(EngineError::new(Fault::Other, "not today".to_owned()))
    });
    let panics = database.apply::<()>(|transaction| {
        transaction.execute("INSERT INTO note VALUES ('panicked')", [])?;
        panic!("a mistake in a job");
    });
    let (before, fails, refuses, panics, after) = tokio::join!(
        note(&database, "before"),
        fails,
        refuses,
        panics,
        note(&database, "after")
    );
    assert_eq!((before.is_ok(), after.is_ok()), (true, true));
    let told = |answer: Answer<()>| scratch.told(answer.unwrap_err());
    assert_eq!(
        [told(fails), told(refuses), told(panics)],
        [
            "database `/data/berth.db`: no such table: missing",
            "not today",
            "database `/data/berth.db`: the call panicked; nothing of it is stored",
        ]
    );
    assert_eq!(notes(&database).await, ["after", "before"]);
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_stop_its_job() {
    let scratch = Scratch::new();
    let database = open(&scratch).await;
    let mut write = Box::pin(note(&database, "orphan"));
    assert!(futures::poll!(write.as_mut()).is_pending());
    drop(write);
    note(&database, "next").await.unwrap();
    assert_eq!(notes(&database).await, ["next", "orphan"]);
}

#[tokio::test]
async fn a_full_disk_is_told_and_survived() {
    let scratch = Scratch::new();
    let database = open(&scratch).await;
    note(&database, "before").await.unwrap();
    let limit = |pages: u32| {
        database.apply(move |transaction| {
            transaction.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))
        })
    };
    limit(1).await.unwrap();
    let large = "x".repeat(100_000);
    let error = note(&database, &large).await.unwrap_err();
    assert_eq!(error.fault, Fault::Full);
    assert_eq!(
        scratch.told(error),
        "database `/data/berth.db`: database or disk is full: free space on its volume; nothing of this call is stored"
    );
    assert_eq!(notes(&database).await, ["before"]);
    limit(100_000).await.unwrap();
    note(&database, &large).await.unwrap();
    assert_eq!(notes(&database).await.len(), 2);
}

#[tokio::test]
async fn a_file_held_by_another_process_is_busy_and_then_not() {
    let scratch = Scratch::new();
    let options = Options {
        busy_timeout: Duration::from_millis(50),
        ..Options::default()
    };
    let location = Location::File(scratch.database());
    let database = Database::shared(&scratch.context(), location, options)
        .await
        .unwrap();
    let other = Connection::open(scratch.database()).unwrap();
    other
        .execute_batch("CREATE TABLE note (text TEXT); BEGIN IMMEDIATE")
        .unwrap();
    let error = note(&database, "during").await.unwrap_err();
    assert_eq!(error.fault, Fault::Busy);
    assert_eq!(
        scratch.told(error),
        "database `/data/berth.db`: database is locked: another process is writing to the file; try again"
    );
    other.execute_batch("COMMIT").unwrap();
    note(&database, "after").await.unwrap();
    assert_eq!(notes(&database).await, ["after"]);
}

#[tokio::test]
async fn closing_leaves_one_file_without_a_log() {
    let scratch = Scratch::new();
    let database = open(&scratch).await;
    note(&database, "kept").await.unwrap();
    assert!(scratch.path().join("berth.db-wal").exists());
    drop(database);
    let files = std::fs::read_dir(scratch.path()).unwrap();
    let names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, ["berth.db"]);
    assert_eq!(notes(&*open(&scratch).await).await, ["kept"]);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named_with_the_way_out() {
    let scratch = Scratch::new();
    std::fs::write(scratch.database(), "a letter, not a database ".repeat(100)).unwrap();
    assert_eq!(
        open_error(&scratch, &scratch.database()).await,
        "opening database `/data/berth.db`: file is not a database: stop the host, then move the file away to begin \
         empty, or restore a copy of it"
    );
}

#[tokio::test]
async fn a_damaged_file_is_found_when_it_is_opened() {
    let scratch = Scratch::new();
    let database = open(&scratch).await;
    for number in 0..500 {
        note(
            &database,
            &format!("a note with some length, number {number}"),
        )
        .await
        .unwrap();
    }
    drop(database);
    let mut bytes = std::fs::read(scratch.database()).unwrap();
    bytes[5_000..9_000].fill(0xee);
    std::fs::write(scratch.database(), bytes).unwrap();
    let error = open_error(&scratch, &scratch.database()).await;
    assert!(
        error.starts_with("opening database `/data/berth.db`: "),
        "{error}"
    );
    assert!(
        error.ends_with("move the file away to begin empty, or restore a copy of it"),
        "{error}"
    );
}

#[tokio::test]
async fn a_directory_that_is_missing_or_not_writable_is_named() {
    let scratch = Scratch::new();
    let missing = scratch.path().join("missing/berth.db");
    assert_eq!(
        open_error(&scratch, &missing).await,
        "opening database `/data/missing/berth.db`: directory `/data/missing` does not exist: create it or set \
         `connectionString`"
    );
    // Nobody can make a file there, not even root.
    assert_eq!(
        open_error(&scratch, Path::new("/proc/berth.db")).await,
        "opening database `/proc/berth.db`: unable to open database file: /proc/berth.db: check the disk and the \
         permissions of the directory"
    );
}

#[tokio::test]
async fn backends_that_share_a_file_need_the_same_options() {
    let scratch = Scratch::new();
    let context = scratch.context();
    let open = |synchronous| {
        let options = Options {
            synchronous,
            ..Options::default()
        };
        Database::shared(&context, Location::File(scratch.database()), options)
    };
    let first = open(Synchronous::Full).await.unwrap();
    let second = open(Synchronous::Full).await.unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    let error = open(Synchronous::Normal).await.unwrap_err();
    assert_eq!(
        scratch.told(error),
        "database `/data/berth.db` is open with synchronous=full disableWAL=false busyTimeout=2s, not with \
         synchronous=normal disableWAL=false busyTimeout=2s: backends that share a file need the same options"
    );
}

#[tokio::test]
async fn a_run_knows_which_runs_are_over() {
    let scratch = Scratch::new();
    let first = open(&scratch).await;
    let second = open(&scratch).await;
    let numbers = async |database: &Database| {
        let run = database.run().await.unwrap();
        (run.id, run.over_before)
    };
    assert_eq!(numbers(&first).await, (1, 1));
    assert_eq!(numbers(&second).await, (2, 0));
    drop(first);
    assert_eq!(numbers(&*open(&scratch).await).await, (3, 0));
    drop(second);
    assert_eq!(numbers(&*open(&scratch).await).await, (4, 4));
}

#[tokio::test]
async fn tables_of_a_newer_berth_are_left_alone() {
    let scratch = Scratch::new();
    let database = open(&scratch).await;
    let steps: &[&str] = &["CREATE TABLE a (x)", "CREATE TABLE b (x)"];
    database.migrate("test", &steps[..1]).await.unwrap();
    database.migrate("test", steps).await.unwrap();
    database.migrate("test", steps).await.unwrap();
    let error = database.migrate("test", &steps[..1]).await.unwrap_err();
    assert_eq!(
        scratch.told(error),
        "database `/data/berth.db` was written by a newer berth (tables of version 2): use that version or another file"
    );
}

#[tokio::test]
async fn relaxed_and_durable_writes_keep_their_order() {
    let scratch = Scratch::new();
    let database = open(&scratch).await;
    for number in 0..20 {
        let text = format!("{number:02}");
        let relaxed = database.write_relaxed(
            move |transaction| {
                transaction.execute("INSERT INTO note VALUES (?1)", [text])?;
                Ok::<_, JobError<EngineError>>(())
            },
            |()| (),
        );
        relaxed.await.unwrap();
        let later = database.apply(move |transaction| {
            let sql = "UPDATE note SET text = text || '!' WHERE text = ?1";
            transaction.execute(sql, [format!("{number:02}")])
        });
        assert_eq!(later.await.unwrap(), 1);
    }
    assert_eq!(notes(&database).await.len(), 20);
}

#[tokio::test]
async fn the_log_stays_bounded_while_readers_and_writers_are_busy() {
    let scratch = Scratch::new();
    let database = open(&scratch).await;
    let large = "x".repeat(100_000);
    for round in 0..20 {
        let writes = (0..40).map(|number| {
            let text = format!("{round}-{number}-{large}");
            let database = &database;
            async move { note(database, &text).await.unwrap() }
        });
        let reads = (0..20).map(|_| async { drop(notes(&database).await) });
        tokio::join!(
            futures::future::join_all(writes),
            futures::future::join_all(reads)
        );
        let clear = database.apply(|transaction| transaction.execute("DELETE FROM note", []));
        clear.await.unwrap();
    }
    let log = std::fs::metadata(scratch.path().join("berth.db-wal")).unwrap();
    assert!(
        log.len() < 64 << 20,
        "{} bytes after 80 MB of notes",
        log.len()
    );
}
