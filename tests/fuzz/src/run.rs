//! Runs a target over many inputs, one at a time, and keeps the one that it did not survive.

use std::{
    cell::Cell,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use sha2::{Digest, Sha256};

use crate::{MEMORY, Target, input::recipes};

/// Inputs between two looks at the clock.
const ROUND: u32 = 200;

/// How much is tried to make a failing input smaller.
const MAX_SHRINKING: u32 = 2_000;

/// Memory is counted for the whole process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// How long a run is.
#[derive(Clone, Copy, Debug)]
pub enum Length {
    /// The target's few inputs, always the same.
    Short,
    /// Until the time is over, with inputs that follow from the seed.
    Long(Duration, [u8; 32]),
}

/// What a run did.
pub struct Report {
    /// Inputs that were read.
    pub executions: u64,
    /// In this time.
    pub took: Duration,
    /// The most that was allocated at a time while one was read, in bytes.
    pub peak: usize,
}

/// Runs a target. Its present input is kept in `kept`, so that it is there when the process dies of
/// it; one that fails stays there.
///
/// # Errors
/// When an input makes it panic or takes too much memory: which, and where it is kept.
pub fn run(target: &Target, length: Length, kept: &Path) -> Result<Report> {
    // one that failed holds nothing
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    // what fails is told with its input; what is caught on the way is not worth telling
    std::panic::set_hook(Box::new(|_| {}));
    let folder = kept.join(target.name);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut seeds = (target.seeds)();
    seeds.push(Vec::new());
    let run = Run { target, present: folder.join("present"), seeds };
    // whatever is made once is not the first input's
    run.seeds.iter().for_each(|seed| (target.read)(seed));
    let (rng, cases) = match length {
        Length::Short => (TestRng::deterministic_rng(RngAlgorithm::ChaCha), target.cases),
        Length::Long(_, seed) => (TestRng::from_seed(RngAlgorithm::ChaCha, &seed), ROUND),
    };
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: MAX_SHRINKING,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config.clone(), rng);
    let begun = Instant::now();
    let (executions, peak) = (Cell::new(0), Cell::new(0));
    loop {
        let outcome = runner.run(&recipes(), |recipe| {
            let input = recipe.make(&run.seeds, target.words);
            executions.set(executions.get() + 1);
            let used = run.once(&input)?;
            peak.set(peak.get().max(used));
            Ok(())
        });
        match outcome {
            Ok(()) => {}
            Err(TestError::Fail(reason, recipe)) => {
                let input = recipe.make(&run.seeds, target.words);
                let name = hex::encode(&Sha256::digest(&input)[..8]);
                let path = folder.join(format!("failed-{name}"));
                fs::write(&path, &input)?;
                bail!("{}: {reason}; the input is {}", target.name, path.display());
            }
            Err(TestError::Abort(reason)) => bail!("{}: {reason}", target.name),
        }
        let took = begun.elapsed();
        let over = match length {
            Length::Short => true,
            Length::Long(time, _) => took >= time,
        };
        if over {
            // that it is gone already is no fault
            let _ = fs::remove_file(&run.present);
            return Ok(Report { executions: executions.get(), took, peak: peak.get() });
        }
        // one that has run all its cases runs no more
        let rng = runner.new_rng();
        runner = TestRunner::new_with_rng(config.clone(), rng);
    }
}

struct Run<'a> {
    target: &'a Target,
    present: PathBuf,
    seeds: Vec<Vec<u8>>,
}

impl Run<'_> {
    /// Reads one input; the most memory it took.
    fn once(&self, input: &[u8]) -> Result<usize, TestCaseError> {
        fs::write(&self.present, input)?;
        MEMORY.reset_peak_usage();
        let before = MEMORY.current_usage();
        (self.target.read)(input);
        let used = MEMORY.peak_usage().saturating_sub(before);
        let bound = self.target.memory.bound(input.len());
        if used > bound {
            let message =
                format!("{used} bytes of memory for {} of input; {bound} are allowed", input.len());
            return Err(TestCaseError::fail(message));
        }
        Ok(used)
    }
}
