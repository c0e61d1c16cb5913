//! Records: a DynamoDB table. A write is durable and visible when it returns.

mod answers;
mod range;
mod write;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use aws_sdk_dynamodb::{
    error::SdkError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{KeysAndAttributes, ReturnValuesOnConditionCheckFailure::AllOld},
};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use clock::SystemClock;
use ports::{
    Clock, Error, Item, Key, Order, Page, Query, Records, Result, Token, Write,
    records::check_batch,
};

use self::{
    answers::{Cancellation, Judged, Judgement, cancellation},
    range::Range,
    write::Prepared,
};
use crate::{
    attributes::{self, Attributes, SORT},
    clients::Clients,
    error::{Request, incomplete},
};

/// How often a write is tried that collides with a transaction, or a batch that was answered in part.
const TRIES: u32 = 5;

/// Before the second try; doubled before each one after that.
const PAUSE: Duration = Duration::from_millis(20);

/// The table.
#[derive(Debug)]
pub(crate) struct Table {
    clients: Arc<Clients>,
    pub(crate) name: String,
    resource: String,
    clock: Arc<SystemClock>,
    /// The last token given out.
    token: AtomicU64,
}

/// Why a write did not happen.
enum Refusal {
    /// It collided with another one, and may be tried again.
    Conflict(Error),
    Final(Error),
}

impl Table {
    pub(crate) fn new(clients: Arc<Clients>, name: &str, clock: Arc<SystemClock>) -> Self {
        let resource = format!("the table {name}");
        Self { clients, name: name.to_owned(), resource, clock, token: AtomicU64::new(0) }
    }

    pub(crate) fn request<'a>(&'a self, action: &'a str) -> Request<'a> {
        Request { resource: &self.resource, variable: "DCMP_TABLE", action }
    }

    /// A new token. They say nothing, as every write is on disk; but whoever reads an item does not
    /// get the token of a write of its own.
    pub(crate) fn token(&self) -> Token {
        Token(self.token.fetch_add(1, Ordering::Relaxed) + 1)
    }

    async fn try_write(&self, write: &Prepared) -> Result<(), Refusal> {
        let table = &self.clients.table;
        match write.clone() {
            Prepared::Put { item, when } => {
                let request = table
                    .put_item()
                    .table_name(&self.name)
                    .set_item(Some(item))
                    .set_condition_expression(when.expression)
                    .set_expression_attribute_names(when.names)
                    .set_expression_attribute_values(when.values)
                    .return_values_on_condition_check_failure(AllOld);
                request
                    .send()
                    .await
                    .map(drop)
                    .map_err(|error| self.refused("dynamodb:PutItem", error))
            }
            Prepared::Update { key, update, when } => {
                let request = table
                    .update_item()
                    .table_name(&self.name)
                    .set_key(Some(key))
                    .update_expression(update)
                    .set_condition_expression(when.expression)
                    .set_expression_attribute_names(when.names)
                    .set_expression_attribute_values(when.values)
                    .return_values_on_condition_check_failure(AllOld);
                let answer = request.send().await;
                answer.map(drop).map_err(|error| self.refused("dynamodb:UpdateItem", error))
            }
            Prepared::Delete { key, when } => {
                let request = table
                    .delete_item()
                    .table_name(&self.name)
                    .set_key(Some(key))
                    .set_condition_expression(when.expression)
                    .set_expression_attribute_names(when.names)
                    .set_expression_attribute_values(when.values)
                    .return_values_on_condition_check_failure(AllOld);
                let answer = request.send().await;
                answer.map(drop).map_err(|error| self.refused("dynamodb:DeleteItem", error))
            }
        }
    }

    fn refused<E, R>(&self, action: &str, error: SdkError<E, R>) -> Refusal
    where
        E: Judged + ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug,
    {
        match error.as_service_error().map(Judged::judged) {
            Some(Judgement::Failed(old)) => Refusal::Final(answers::failed(old)),
            Some(Judgement::Conflict) => Refusal::Conflict(self.request(action).failed(error)),
            _ => Refusal::Final(self.request(action).failed(error)),
        }
    }

    async fn try_transaction(&self, writes: &[Prepared], token: &str) -> Result<(), Refusal> {
        let writes = writes.iter().map(|write| write.clone().in_transaction(&self.name));
        let writes = writes.collect::<Result<Vec<_>>>().map_err(Refusal::Final)?;
        let request = self
            .clients
            .table
            .transact_write_items()
            .set_transact_items(Some(writes))
            .client_request_token(token);
        let Err(error) = request.send().await else { return Ok(()) };
        let failed = |error| self.request("dynamodb:TransactWriteItems").failed(error);
        Err(match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                match cancellation(cancelled) {
                    Cancellation::Failed(old) => Refusal::Final(answers::failed(old)),
                    Cancellation::Invalid(why) => Refusal::Final(Error::Invalid(why)),
                    Cancellation::Other => Refusal::Conflict(failed(error)),
                }
            }
            Some(TransactWriteItemsError::TransactionInProgressException(_)) => {
                Refusal::Conflict(failed(error))
            }
            _ => Refusal::Final(failed(error)),
        })
    }

    /// Tries again what collided, a few times with growing pauses.
    async fn persist<F>(&self, attempt: impl Fn() -> F) -> Result<Token>
    where
        F: Future<Output = Result<(), Refusal>>,
    {
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            match attempt().await {
                Ok(()) => return Ok(self.token()),
                Err(Refusal::Final(error)) => return Err(error),
                Err(Refusal::Conflict(_)) => self.clock.sleep(self.jittered(pause)).await,
            }
            pause *= 2;
        }
        match attempt().await {
            Ok(()) => Ok(self.token()),
            Err(Refusal::Final(error) | Refusal::Conflict(error)) => Err(error),
        }
    }

    /// Between half of the pause and all of it, so that those who collided do not do so again.
    fn jittered(&self, pause: Duration) -> Duration {
        let mut random = [0];
        self.clock.random(&mut random);
        pause / 2 + pause * u32::from(random[0]) / 512
    }
}

#[async_trait]
impl Records for Table {
    async fn get(&self, key: &Key) -> Result<Option<Item>> {
        key.check()?;
        let request = self
            .clients
            .table
            .get_item()
            .table_name(&self.name)
            .set_key(Some(attributes::key(key)))
            .consistent_read(true);
        let answer = request.send().await;
        let answer = answer.map_err(|error| self.request("dynamodb:GetItem").failed(error))?;
        answer.item.map(|found| item(found).map(|(_, item)| item)).transpose()
    }

    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>> {
        check_batch(keys)?;
        keys.iter().try_for_each(Key::check)?;
        // DynamoDB refuses a key that comes twice
        let mut wanted: Vec<_> = keys.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        let mut open: Vec<Attributes> = wanted.iter().map(attributes::key).collect();
        let mut found = HashMap::new();
        let mut pause = PAUSE;
        for attempt in 1.. {
            if open.is_empty() {
                break;
            }
            if attempt > TRIES {
                return Err(Error::Unavailable(format!(
                    "dynamodb:BatchGetItem on {} left {} items unread after {TRIES} tries",
                    self.resource,
                    open.len()
                )));
            }
            if attempt > 1 {
                self.clock.sleep(self.jittered(pause)).await;
                pause *= 2;
            }
            let wanted = KeysAndAttributes::builder()
                .set_keys(Some(open))
                .consistent_read(true)
                .build()
                .map_err(Error::unavailable)?;
            let request = self.clients.table.batch_get_item().request_items(&self.name, wanted);
            let mut answer = request
                .send()
                .await
                .map_err(|error| self.request("dynamodb:BatchGetItem").failed(error))?;
            for attributes in
                answer.responses.iter_mut().flat_map(|all| all.drain()).flat_map(|(_, items)| items)
            {
                let (key, item) = item(attributes)?;
                found.insert(key.ok_or_else(|| incomplete("dynamodb:BatchGetItem", "key"))?, item);
            }
            let left = answer.unprocessed_keys.iter_mut().flat_map(|all| all.drain());
            open = left.flat_map(|(_, left)| left.keys).collect();
        }
        Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
    }

    async fn write(&self, write: Write) -> Result<Token> {
        let write = Prepared::new(write)?;
        self.persist(|| self.try_write(&write)).await
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<Token> {
        Write::check_transaction(&writes)?;
        let writes = writes.into_iter().map(Prepared::new).collect::<Result<Vec<_>>>()?;
        if writes.is_empty() {
            return Ok(self.token());
        }
        // The same at every try: one whose answer was lost is not applied again.
        let token = self.clock.id("t");
        self.persist(|| self.try_transaction(&writes, &token)).await
    }

    async fn query(&self, query: Query) -> Result<Page> {
        query.check()?;
        let mut page = Page::default();
        let Some(range) = Range::of(&query) else { return Ok(page) };
        let (condition, values) = range.condition(&query.partition);
        let start = range.start.map(|sort| attributes::key(&Key::new(&query.partition, sort)));
        // one more than is wanted tells whether there is a next page
        let limit = query.limit + 1;
        let request = self
            .clients
            .table
            .query()
            .table_name(&self.name)
            .key_condition_expression(condition)
            .set_expression_attribute_values(Some(values))
            .set_exclusive_start_key(start)
            .scan_index_forward(query.order == Order::Ascending)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .consistent_read(true);
        let answer = request.send().await;
        let answer = answer.map_err(|error| self.request("dynamodb:Query").failed(error))?;
        for attributes in answer.items.unwrap_or_default() {
            let (key, item) = item(attributes)?;
            let key = key.ok_or_else(|| incomplete("dynamodb:Query", "key"))?;
            page.items.push((key.sort, item));
        }
        let more = page.items.len() > query.limit;
        page.items.truncate(query.limit);
        // a page of 1 MB ends early, perhaps without any item that is wanted
        let end = answer.last_evaluated_key.and_then(|mut key| key.remove(SORT));
        page.next = match (more, page.items.last()) {
            (true, Some((sort, _))) => Some(sort.clone()),
            _ => end.and_then(|sort| sort.as_s().ok().cloned()),
        };
        Ok(page)
    }

    async fn durable(&self, _token: Token) -> Result<()> {
        Ok(())
    }
}

fn item(attributes: Attributes) -> Result<(Option<Key>, Item)> {
    attributes::item(attributes::named(attributes))
}
