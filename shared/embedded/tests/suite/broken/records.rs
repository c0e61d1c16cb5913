//! Faults of records and their changes.

use std::time::Duration;

use async_trait::async_trait;
use ports::{
    Change, Changes, Condition, Error, Item, Key, Page, Place, Query, Records, Result, Token,
    Watch, Write,
};

use super::Faulty;

impl Faulty {
    /// Checks first and writes later, as if nobody else could come between.
    async fn write_in_two_steps(&self, write: Write) -> Result<Token> {
        let records = &self.inner.records;
        let old = records.get(write.key()).await?;
        let version = old.as_ref().and_then(|old| attributes(old).get("version")?.as_u64());
        let holds = match write.condition() {
            Condition::Absent => old.is_none(),
            Condition::Version(wanted) => version == Some(*wanted),
            _ => true,
        };
        if !holds {
            return Err(Error::ConditionFailed(old));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        let (Write::Put { key, item, .. } | Write::Update { key, set: item, .. }) = write else {
            return records.write(write).await;
        };
        records.write(Write::update(key, item, Condition::Always)).await
    }
}

fn attributes(item: &Item) -> serde_json::Map<String, serde_json::Value> {
    item.decode().unwrap()
}

#[async_trait]
impl Records for Faulty {
    async fn get(&self, key: &Key) -> Result<Option<Item>> {
        let item = self.inner.records.get(key).await?;
        if self.breaks("R1") {
            let mut memory = self.memory.lock().unwrap();
            return Ok(memory.items.entry(key.clone()).or_insert(item).clone());
        }
        Ok(item)
    }

    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>> {
        self.inner.records.batch_get(keys).await
    }

    async fn write(&self, mut write: Write) -> Result<Token> {
        if self.breaks("R2") {
            return self.write_in_two_steps(write).await;
        }
        if self.breaks("R9")
            && let Write::Put { item, .. } = &mut write
        {
            let mut kept = attributes(item);
            kept.remove("expires_at");
            *item = Item::encode(&kept)?;
        }
        if self.breaks("R8")
            && let Write::Update { key, set, condition, .. } = write
        {
            write = Write::put(key, set, condition);
        }
        match self.inner.records.write(write).await {
            Err(Error::ConditionFailed(_)) if self.breaks("R3") => {
                Err(Error::ConditionFailed(None))
            }
            Err(Error::Invalid(_)) if self.breaks("R7") => Ok(Token(0)),
            result => result,
        }
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<Token> {
        if !self.breaks("R5") {
            return self.inner.records.transact(writes).await;
        }
        let mut token = Token(0);
        for write in writes {
            token = self.inner.records.write(write).await?;
        }
        Ok(token)
    }

    async fn query(&self, mut query: Query) -> Result<Page> {
        if self.breaks("R4") {
            query.until = None;
        }
        self.inner.records.query(query).await
    }

    async fn durable(&self, token: Token) -> Result<()> {
        if self.breaks("R6") {
            return Ok(());
        }
        self.inner.records.durable(token).await
    }
}

#[async_trait]
impl Changes for Faulty {
    async fn read(&self, consumer: &str, max: usize, wait: Duration) -> Result<Vec<Change>> {
        let consumer = if self.breaks("C4") { "everybody" } else { consumer };
        let mut changes = self.inner.changes.read(consumer, max, wait).await?;
        if self.breaks("C1") {
            changes.retain(|_| !self.count().is_multiple_of(9));
        }
        if self.breaks("C2")
            && let Some(last) = changes.last()
        {
            self.inner.changes.checkpoint(consumer, &last.place).await?;
        }
        if self.breaks("C3") {
            changes.iter_mut().for_each(|change| change.old = None);
        }
        Ok(changes)
    }

    async fn checkpoint(&self, consumer: &str, place: &Place) -> Result<()> {
        let consumer = if self.breaks("C4") { "everybody" } else { consumer };
        self.inner.changes.checkpoint(consumer, place).await
    }

    fn watch(&self, key: &Key) -> Box<dyn Watch> {
        if !self.breaks("C5") {
            return self.inner.changes.watch(key);
        }
        Box::new(LateWatch { faulty: self.inner.clone(), key: key.clone() })
    }
}

/// Begins to watch only when somebody waits.
struct LateWatch {
    faulty: ports::Ports,
    key: Key,
}

#[async_trait]
impl Watch for LateWatch {
    async fn changed(
        &mut self,
        patience: Duration,
        usual: Duration,
    ) -> Result<Option<(Token, Item)>> {
        self.faulty.changes.watch(&self.key).changed(patience, usual).await
    }
}
