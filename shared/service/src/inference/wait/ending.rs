//! How a waiting call ends: with an answer, with a refusal, or without its job.

use std::time::Duration;

use domain::{
    job::{Attempt, Event},
    model::Format,
};

use super::{
    super::{Again, Submitted, accepted, repeated, show},
    Applied, Waiting,
};
use crate::{Error, Result, attempts, jobs};

impl Waiting<'_> {
    /// The end: on disk first, then to the caller.
    pub(super) async fn answer(&mut self) -> Result<Submitted> {
        self.app.ports.records.durable(self.token).await?;
        let losers: Vec<_> = match &self.job.outcome {
            Some(outcome) if self.job.attempts.len() > 1 => {
                let slower = |a: &&Attempt| a.end.is_none() && a.fence != outcome.fence;
                self.job.attempts.iter().filter(slower).cloned().collect()
            }
            _ => Vec::new(),
        };
        jobs::stop_working(self.app, &self.job, &losers).await;
        Ok(Submitted::Ended(Box::new(show(self.app, &self.job).await?)))
    }

    /// The answer to another request with the same key.
    pub(super) async fn repeated(&self) -> Result<Submitted> {
        let (body_hash, record) = (self.body_hash.as_deref(), &*self.record);
        let again = Again { body_hash, record, inputs: &self.inputs };
        repeated(self.app, self.job.clone(), again).await
    }

    /// Nothing that could run it is connected. It may have been on record for a device that turned
    /// out to be gone; it must not run when the caller was told that it does not.
    pub(super) async fn refuse(&mut self) -> Result<Submitted> {
        if self.recorded
            && let Some(ended) = jobs::strike(self.app, self.job.clone()).await?
        {
            self.found(ended);
            return self.answer().await;
        }
        let format = self.record.version.format;
        if format == Format::Torchscript {
            return Err(Error::NoDevices(
                "no connected device declares `torchscript`, and only such a device can run this model; \
                 connect one, submit with \"async\": true to wait for one, or upload the model as ONNX \
                 (torch.onnx.export)"
                    .to_owned(),
            ));
        }
        let format = format.name();
        Err(Error::NoDevices(format!(
            "no connected device can run this {format} model; start one with `dcmp device`, allow shared devices with \"placement\": \"shared\", or submit with \"async\": true to wait for one"
        )))
    }

    /// Something of ours broke: the caller is told that nothing came of it, and so it should be.
    pub(super) async fn give_up(&self) {
        let struck = async {
            let stored = jobs::load(self.app, &self.job.id).await?;
            match stored.filter(|stored| stored.created_us == self.job.created_us) {
                Some(job) => jobs::strike(self.app, job).await.map(drop),
                None => Ok(()),
            }
        };
        if let Err(cause) = struck.await {
            tracing::error!(%cause, job = self.job.id, "a job could not be taken off the record");
        }
    }

    /// The caller's time is up: the job goes on without it.
    pub(super) async fn let_go(&mut self) -> Result<Submitted> {
        let mut job = self.job.clone();
        attempts::store_input(self.app, &mut job, &self.inputs).await?;
        match self.apply(Event::LetGo(job.input)).await? {
            Applied::Done => {}
            Applied::Refused => return self.answer().await,
            Applied::Taken => return self.repeated().await,
        }
        if self.job.working().next().is_none() {
            jobs::enqueue(self.app, &self.job.id, Duration::ZERO).await?;
        }
        self.app.ports.records.durable(self.token).await?;
        Ok(Submitted::Accepted(accepted(&self.job.id, self.job.state)))
    }
}
