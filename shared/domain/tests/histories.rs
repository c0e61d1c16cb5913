//! The promises about jobs, over random histories: devices decline, fail, vanish, answer late and
//! twice; owners cancel; deadlines pass.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;

use dcmp_domain::job::{EndKind, Event, Failure, Job};
use proptest::{collection::vec, prelude::*};
use support::*;

/// What happens next; numbers choose among the attempts that there are, over or not.
#[derive(Clone, Debug)]
enum Step {
    Assign,
    Declined(usize),
    Refused(usize),
    Failed(usize, bool),
    Lost(usize),
    Done(usize),
    Wait(u64),
    LetGo,
    Cancel,
    Expire,
    Abandon,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Assign),
        2 => (0..8usize).prop_map(Step::Declined),
        1 => (0..8usize).prop_map(Step::Refused),
        3 => (0..8usize, prop::bool::weighted(0.8)).prop_map(|(n, again)| Step::Failed(n, again)),
        4 => (0..8usize).prop_map(Step::Lost),
        2 => (0..8usize).prop_map(Step::Done),
        1 => (1..200_000_000u64).prop_map(Step::Wait),
        1 => Just(Step::Expire),
        1 => Just(Step::LetGo),
        1 => prop_oneof![Just(Step::Cancel), Just(Step::Abandon)],
    ]
}

/// A job on its way, with what the test remembers of it.
struct History {
    job: Job,
    now_us: u64,
    /// Fence of a lost attempt → how many attempts there were when it was lost.
    lost: BTreeMap<String, usize>,
}

impl History {
    fn fence(&self, choice: usize) -> String {
        let count = self.job.attempts.len();
        match count {
            0 => "never given out".to_owned(),
            _ => self.job.attempts[choice % count].fence.clone(),
        }
    }

    /// Whether the step changed the job.
    fn take(&mut self, step: &Step) -> bool {
        let event = match step {
            Step::Wait(us) => {
                self.now_us += us;
                return false;
            }
            Step::Done(choice) => {
                let fence = self.fence(*choice);
                let Some(job) = finished(&self.job, &fence, 0.0, 1.0, self.now_us) else {
                    return false;
                };
                self.job = job;
                return true;
            }
            Step::Assign => assign(&format!("fence{}", self.job.attempts.len())),
            Step::Declined(choice) => declined(&self.fence(*choice)),
            Step::Refused(choice) => refused(&self.fence(*choice)),
            Step::LetGo => Event::LetGo(self.job.input.clone()),
            Step::Failed(choice, retryable) => failed(&self.fence(*choice), *retryable),
            Step::Lost(choice) => lost(&self.fence(*choice)),
            Step::Cancel => Event::Cancel,
            Step::Expire => Event::Expire,
            Step::Abandon => {
                Event::Abandon(Failure { code: "NO_MODEL".to_owned(), message: "gone".to_owned() })
            }
        };
        let Ok(decision) = self.job.decide(event.clone(), self.now_us, &settings()) else {
            return false;
        };
        if let Event::Lost { fence, .. } = event {
            self.lost.insert(fence, self.job.attempts.len());
        }
        self.job = decision.job;
        true
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let Self { job, lost, .. } = self;
        prop_assert!(job.tried() <= settings().max_attempts);
        prop_assert_eq!(job.state.is_terminal(), job.ended_us.is_some());
        if job.state.is_terminal() {
            prop_assert!(job.fences.is_empty(), "a result could still change it");
        } else {
            prop_assert!(job.outcome.is_none() && job.failure.is_none());
            let working = job.working().next().is_some();
            prop_assert!(working || job.may_try(&settings()), "it would wait for ever");
        }
        for (index, attempt) in job.attempts.iter().enumerate() {
            let live = job.fences.get(&attempt.fence);
            prop_assert!(live.is_none_or(|at| *at == index), "a fence of another attempt");
            let welcome = match attempt.end.as_ref().map(|end| end.kind) {
                None => true,
                Some(EndKind::Lost) => lost[&attempt.fence] == job.attempts.len(),
                Some(EndKind::Declined | EndKind::Refused | EndKind::Failed) => false,
            };
            prop_assert_eq!(live.is_some(), welcome && !job.state.is_terminal());
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_history_keeps_the_promises(steps in vec(step(), 1..40)) {
        let mut history = History { job: job(), now_us: NOW, lost: BTreeMap::new() };
        let mut end: Option<Job> = None;
        for step in &steps {
            let version = history.job.version;
            let changed = history.take(step);
            prop_assert_eq!(history.job.version, version + u64::from(changed));
            history.check()?;
            match &end {
                Some(end) => prop_assert_eq!(end, &history.job, "it was over before {:?}", step),
                None => end = Some(&history.job).filter(|job| job.state.is_terminal()).cloned(),
            }
        }
    }

    /// What is stored is what was decided: jobs survive their way through the table.
    #[test]
    fn a_stored_job_is_the_same_job(steps in vec(step(), 0..20)) {
        let mut history = History { job: job(), now_us: NOW, lost: BTreeMap::new() };
        for step in &steps {
            history.take(step);
        }
        let text = serde_json::to_string(&history.job).unwrap();
        prop_assert_eq!(serde_json::from_str::<Job>(&text).unwrap(), history.job);
    }
}
