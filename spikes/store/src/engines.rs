//! The candidates behind one small interface. Those with one writer at a time commit a whole group
//! per transaction, on a thread of their own; that is their form of sharing a wait for the disk.

use std::{
    fs::File,
    path::Path,
    sync::{
        Arc, Condvar, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
};

pub trait Engine: Send + Sync {
    /// Writes `value` with a log entry if the old value is `old`; returns its place in the order.
    fn write(&self, key: &[u8], old: Option<&[u8]>, value: &[u8]) -> u64;

    /// Returns when everything up to `token` is on disk.
    fn durable(&self, token: u64);
}

type Open = fn(&Path) -> Box<dyn Engine>;

pub const ENGINES: &[(&str, Open)] = &[
    ("fjall, its own persist", |path| Box::new(Fjall::open(path, false))),
    ("fjall, fdatasync outside its lock", |path| Box::new(Fjall::open(path, true))),
    ("redb, a thread that commits groups", |path| Box::new(Grouped::start(Redb::open(path)))),
    ("heed, a thread that commits groups", |path| Box::new(Grouped::start(Heed::open(path)))),
];

/// How far the disk is; whoever finds it behind and nobody at work brings it forward for all.
#[derive(Default)]
struct Progress {
    state: Mutex<(u64, bool)>,
    changed: Condvar,
}

impl Progress {
    fn wait(&self, token: u64, sync: impl Fn() -> u64) {
        let mut state = self.state.lock().unwrap();
        while state.0 < token {
            if state.1 {
                state = self.changed.wait(state).unwrap();
                continue;
            }
            state.1 = true;
            drop(state);
            let done = sync();
            state = self.state.lock().unwrap();
            *state = (done, false);
            self.changed.notify_all();
        }
    }
}

struct Fjall {
    database: fjall::Database,
    records: fjall::Keyspace,
    log: fjall::Keyspace,
    last: Mutex<u64>,
    progress: Progress,
    journal: Option<File>,
}

impl Fjall {
    fn open(path: &Path, second_handle: bool) -> Self {
        let database = fjall::Database::builder(path)
            .cache_size(8 << 20)
            .manual_journal_persist(true)
            .worker_threads(2)
            .open()
            .unwrap();
        let keyspace = |name| {
            let options = || {
                fjall::KeyspaceCreateOptions::default()
                    .max_memtable_size(16 << 20)
                    .manual_journal_persist(true)
            };
            database.keyspace(name, options).unwrap()
        };
        let (records, log) = (keyspace("records"), keyspace("log"));
        // The journals after the first are left out here; the engine syncs one before the next.
        let journal = second_handle.then(|| File::open(path.join("0.jnl")).unwrap());
        let (last, progress) = (Mutex::new(0), Progress::default());
        Self { database, records, log, last, progress, journal }
    }
}

impl Engine for Fjall {
    fn write(&self, key: &[u8], old: Option<&[u8]>, value: &[u8]) -> u64 {
        let mut last = self.last.lock().unwrap();
        assert_eq!(self.records.get(key).unwrap().as_deref(), old, "the condition holds");
        let mut batch = self.database.batch();
        batch.insert(&self.records, key, value);
        batch.insert(&self.log, (*last + 1).to_be_bytes().as_slice(), value);
        batch.commit().unwrap();
        *last += 1;
        *last
    }

    fn durable(&self, token: u64) {
        self.progress.wait(token, || {
            let last = *self.last.lock().unwrap();
            match &self.journal {
                None => self.database.persist(fjall::PersistMode::SyncData).unwrap(),
                Some(journal) => {
                    self.database.persist(fjall::PersistMode::Buffer).unwrap();
                    journal.sync_data().unwrap();
                }
            }
            last
        });
    }
}

/// One write on its way to the committing thread.
struct Job {
    key: Vec<u8>,
    old: Option<Vec<u8>>,
    value: Vec<u8>,
}

/// An engine that commits many writes at once.
trait Groups: Send + 'static {
    fn commit(&mut self, first: u64, jobs: &[Job]);
}

/// Writes are visible and on disk together here, since there is no reading what is not committed.
struct Grouped {
    jobs: Mutex<(u64, Sender<Job>)>,
    done: Arc<(Mutex<u64>, Condvar)>,
}

impl Grouped {
    fn start(mut engine: impl Groups) -> Self {
        let (sender, receiver): (_, Receiver<Job>) = channel();
        let done = Arc::new((Mutex::new(0), Condvar::new()));
        let progress = done.clone();
        std::thread::spawn(move || {
            let mut committed = 0;
            while let Ok(first) = receiver.recv() {
                let jobs: Vec<_> = std::iter::once(first).chain(receiver.try_iter()).collect();
                engine.commit(committed + 1, &jobs);
                committed += jobs.len() as u64;
                *progress.0.lock().unwrap() = committed;
                progress.1.notify_all();
            }
        });
        Self { jobs: Mutex::new((0, sender)), done }
    }
}

impl Engine for Grouped {
    fn write(&self, key: &[u8], old: Option<&[u8]>, value: &[u8]) -> u64 {
        let mut jobs = self.jobs.lock().unwrap();
        let job = Job { key: key.to_vec(), old: old.map(<[u8]>::to_vec), value: value.to_vec() };
        jobs.1.send(job).unwrap();
        jobs.0 += 1;
        jobs.0
    }

    fn durable(&self, token: u64) {
        let done = self.done.0.lock().unwrap();
        drop(self.done.1.wait_while(done, |done| *done < token).unwrap());
    }
}

struct Redb(redb::Database);

const RECORDS: redb::TableDefinition<&[u8], &[u8]> = redb::TableDefinition::new("records");
const LOG: redb::TableDefinition<u64, &[u8]> = redb::TableDefinition::new("log");

impl Redb {
    fn open(path: &Path) -> Self {
        let builder = redb::Builder::new().set_cache_size(16 << 20).create(path.join("redb"));
        Self(builder.unwrap())
    }
}

impl Groups for Redb {
    fn commit(&mut self, first: u64, jobs: &[Job]) {
        let transaction = self.0.begin_write().unwrap();
        {
            let mut records = transaction.open_table(RECORDS).unwrap();
            let mut log = transaction.open_table(LOG).unwrap();
            for (number, job) in (first..).zip(jobs) {
                let old = records.insert(&job.key[..], &job.value[..]).unwrap();
                let old = old.map(|old| old.value().to_vec());
                assert_eq!(old, job.old, "the condition holds");
                log.insert(number, &job.value[..]).unwrap();
            }
        }
        transaction.commit().unwrap();
    }
}

type Bytes = heed::types::Bytes;

struct Heed {
    environment: &'static heed::Env,
    records: heed::Database<'static, Bytes, Bytes>,
    log: heed::Database<'static, Bytes, Bytes>,
}

impl Heed {
    #[allow(unsafe_code, reason = "LMDB wants a promise that nobody else changes the file")]
    fn open(path: &Path) -> Self {
        let mut options = heed::EnvOpenOptions::new();
        options.map_size(16 << 30).max_dbs(2);
        // SAFETY: the directory is new and this process's own.
        let environment = unsafe { options.open(path) }.unwrap();
        // For as long as the process, which ends with the measurement.
        let environment: &'static heed::Env = Box::leak(Box::new(environment));
        let transaction = environment.write_txn().unwrap();
        let (records, log) = environment
            .create_databases_and_commit(transaction, |databases, transaction| {
                let records = databases.create_database(transaction, Some("records"))?;
                let log = databases.create_database(transaction, Some("log"))?;
                heed::Result::Ok(heed::CommitOrAbort::<_, ()>::Commit((records, log)))
            })
            .unwrap()
            .unwrap_commit();
        Self { environment, records, log }
    }
}

impl Groups for Heed {
    fn commit(&mut self, first: u64, jobs: &[Job]) {
        let mut transaction = self.environment.write_txn().unwrap();
        for (number, job) in (first..).zip(jobs) {
            let old = self.records.get(&transaction, &job.key).unwrap();
            assert_eq!(old, job.old.as_deref(), "the condition holds");
            self.records.put(&mut transaction, &job.key, &job.value).unwrap();
            self.log.put(&mut transaction, &number.to_be_bytes(), &job.value).unwrap();
        }
        transaction.commit().unwrap();
    }
}
