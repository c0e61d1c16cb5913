//! Calling the platform's functions inside this process, with the limits they have on Lambda.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use ports::{Error, Functions, Result, functions::check_size};

use crate::lock::RwLock;

type Handler = dyn Fn(Bytes) -> BoxFuture<'static, Result<Bytes>> + Send + Sync;

struct Function {
    limit: Duration,
    handler: Box<Handler>,
}

/// The functions of this process, by name.
#[derive(Default)]
pub struct LocalFunctions {
    functions: RwLock<HashMap<String, Arc<Function>>>,
}

impl LocalFunctions {
    /// Makes `handler` callable as `name`; a call ends after `limit` at the latest. A handler runs
    /// within the task of its caller, so one that computes for long hands that to a thread itself.
    pub fn register<F, A>(&self, name: &str, limit: Duration, handler: F)
    where
        F: Fn(Bytes) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Bytes>> + Send + 'static,
    {
        let handler = Box::new(move |payload| handler(payload).boxed());
        self.functions.write().insert(name.to_owned(), Arc::new(Function { limit, handler }));
    }
}

#[async_trait]
impl Functions for LocalFunctions {
    async fn call(&self, function: &str, payload: Bytes) -> Result<Bytes> {
        check_size("request", function, &payload)?;
        let called = self
            .functions
            .read()
            .get(function)
            .cloned()
            .ok_or_else(|| Error::NotFound(format!("there is no function `{function}`")))?;
        // Making the future is the handler's code too, and may panic like the rest of it.
        let run = AssertUnwindSafe(async { (called.handler)(payload).await }).catch_unwind();
        let answer = match tokio::time::timeout(called.limit, run).await {
            Ok(Ok(answer)) => answer?,
            Ok(Err(_panic)) => {
                tracing::error!(function.name = function, "a called function panicked");
                return Err(Error::Unavailable(format!("the function `{function}` crashed")));
            }
            Err(_elapsed) => {
                let limit_ms = called.limit.as_millis();
                let message = format!("the function `{function}` did not end within {limit_ms} ms");
                return Err(Error::Unavailable(message));
            }
        };
        check_size("response", function, &answer)?;
        Ok(answer)
    }
}
