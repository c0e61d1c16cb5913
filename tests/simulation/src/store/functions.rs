//! The functions that others call.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use ports::{Clock, Error, Functions, Result, functions::check_size};

use super::lock;
use crate::clock::within;

type Function = Arc<dyn Fn(Bytes) -> BoxFuture<'static, Result<Bytes>> + Send + Sync>;

/// All of them, by name.
pub struct SimFunctions {
    clock: Arc<dyn Clock>,
    known: Mutex<HashMap<&'static str, (Duration, Function)>>,
}

impl SimFunctions {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, known: Mutex::default() }
    }

    /// From now on `name` can be called, and takes no longer than `limit`.
    pub fn register<F, R>(&self, name: &'static str, limit: Duration, function: F)
    where
        F: Fn(Bytes) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Bytes>> + Send + 'static,
    {
        let function: Function = Arc::new(move |payload| function(payload).boxed());
        lock(&self.known).insert(name, (limit, function));
    }
}

#[async_trait]
impl Functions for SimFunctions {
    async fn call(&self, function: &str, payload: Bytes) -> Result<Bytes> {
        check_size("request", function, &payload)?;
        let known = lock(&self.known).get(function).cloned();
        let (limit, run) =
            known.ok_or_else(|| Error::NotFound(format!("there is no function `{function}`")))?;
        let run = AssertUnwindSafe(async move { run(payload).await }).catch_unwind();
        let answer = match within(&*self.clock, limit, run).await {
            Some(Ok(answer)) => answer?,
            Some(Err(_)) => return Err(Error::Unavailable(format!("`{function}` panicked"))),
            None => return Err(Error::Unavailable(format!("`{function}` took over {limit:?}"))),
        };
        check_size("response", function, &answer)?;
        Ok(answer)
    }
}
