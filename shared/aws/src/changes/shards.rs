//! Walking through the shards of a stream.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html>

use std::{collections::BTreeSet, sync::Arc};

use aws_sdk_dynamodbstreams::{
    error::ProvideErrorMetadata,
    types::{Record, Shard as Described, ShardIteratorType},
};
use ports::{Change, Error, Place, Result, Sequence};

use super::{PLACES, Streams, event};
use crate::{
    attributes::{item, named},
    error::{Request, incomplete},
};

/// The shortest sequence number that the API takes, in digits.
const SHORTEST: usize = 21;

/// A shard as it was described.
pub(super) struct Shard {
    pub(super) id: Arc<str>,
    /// The shard that this one goes on from, whose changes come before.
    pub(super) parent: Option<Arc<str>>,
}

/// How far a shard was walked through without finding anything; some answers are empty although more
/// follows.
#[derive(Clone, Default)]
pub(super) struct Walk {
    from: Option<Sequence>,
    iterator: Option<String>,
}

/// What one step found.
pub(super) enum Reading {
    Some(Vec<Change>),
    /// Nothing here, and perhaps something further on.
    None,
    /// There will never be anything more.
    Ended,
}

impl Streams {
    fn request<'a>(&'a self, action: &'a str) -> Request<'a> {
        self.table.request(action)
    }

    async fn arn(&self) -> Result<&str> {
        let describe = || async {
            let request = self.clients.table.describe_table().table_name(&self.table.name);
            let answer = request.send().await;
            let answer =
                answer.map_err(|error| self.request("dynamodb:DescribeTable").failed(error))?;
            let arn = answer.table.and_then(|table| table.latest_stream_arn);
            arn.ok_or_else(|| {
                Error::Unavailable(format!("the table {} has no stream", self.table.name))
            })
        };
        Ok(self.arn.get_or_try_init(describe).await?)
    }

    /// All shards of the stream.
    pub(super) async fn shards(&self) -> Result<Vec<Shard>> {
        let (mut shards, mut start) = (Vec::new(), None);
        loop {
            let request = self
                .clients
                .streams
                .describe_stream()
                .stream_arn(self.arn().await?)
                .set_exclusive_start_shard_id(start);
            let answer = request.send().await;
            let answer =
                answer.map_err(|error| self.request("dynamodb:DescribeStream").failed(error))?;
            let stream = answer
                .stream_description
                .ok_or_else(|| incomplete("dynamodb:DescribeStream", "description"))?;
            shards.extend(stream.shards.unwrap_or_default().into_iter().filter_map(described));
            start = stream.last_evaluated_shard_id;
            if start.is_none() {
                return Ok(shards);
            }
        }
    }

    /// Reads on in a shard, from behind `place` at first.
    pub(super) async fn step(
        &self,
        shard: &Shard,
        walk: &mut Walk,
        place: Option<Sequence>,
        max: usize,
    ) -> Result<Reading> {
        let iterator = match walk.iterator.take().filter(|_| walk.from == place) {
            Some(iterator) => iterator,
            None => self.iterator(&shard.id, place).await?,
        };
        walk.from = place;
        let request = self
            .clients
            .streams
            .get_records()
            .shard_iterator(iterator)
            .limit(max.try_into().unwrap_or(i32::MAX));
        let answer = match request.send().await {
            Ok(answer) => answer,
            // they are good for 15 minutes; the next step begins behind the place again
            Err(error) if error.code() == Some("ExpiredIteratorException") => {
                return Ok(Reading::None);
            }
            Err(error) => return Err(self.request("dynamodb:GetRecords").failed(error)),
        };
        let records = answer.records.unwrap_or_default();
        let changes = records.into_iter().map(|record| read(&shard.id, record));
        let mut changes = changes.collect::<Result<Vec<_>>>()?;
        changes.retain(|change| !change.key.partition.starts_with(PLACES));
        if !changes.is_empty() {
            return Ok(Reading::Some(changes));
        }
        walk.iterator = answer.next_shard_iterator;
        Ok(if walk.iterator.is_some() { Reading::None } else { Reading::Ended })
    }

    async fn iterator(&self, shard: &str, place: Option<Sequence>) -> Result<String> {
        let from = |place: Option<Sequence>| async move {
            let kind = match place {
                Some(_) => ShardIteratorType::AfterSequenceNumber,
                None => ShardIteratorType::TrimHorizon,
            };
            let request = self
                .clients
                .streams
                .get_shard_iterator()
                .stream_arn(self.arn().await?)
                .shard_id(shard)
                .shard_iterator_type(kind)
                .set_sequence_number(
                    place.map(|place| format!("{:0>SHORTEST$}", place.to_string())),
                );
            Ok(request.send().await)
        };
        let answer = match from(place).await? {
            // what was behind the place is forgotten meanwhile
            Err(error) if error.code() == Some("TrimmedDataAccessException") => from(None).await?,
            answer => answer,
        };
        let answer =
            answer.map_err(|error| self.request("dynamodb:GetShardIterator").failed(error))?;
        answer.shard_iterator.ok_or_else(|| incomplete("dynamodb:GetShardIterator", "iterator"))
    }
}

/// The shards that have something to be read, or may have: not those at their end, and of the others
/// none whose parent is not at its end. A parent that the stream does not list any more is.
pub(super) fn open<'a>(shards: &'a [Shard], ended: &BTreeSet<Arc<str>>) -> Vec<&'a Shard> {
    let waits = |parent: &Arc<str>| {
        !ended.contains(parent) && shards.iter().any(|listed| listed.id == *parent)
    };
    let open =
        |shard: &&Shard| !ended.contains(&shard.id) && !shard.parent.as_ref().is_some_and(waits);
    shards.iter().filter(open).collect()
}

fn described(shard: Described) -> Option<Shard> {
    Some(Shard { id: shard.shard_id?.into(), parent: shard.parent_shard_id.map(Into::into) })
}

fn read(shard: &Arc<str>, record: Record) -> Result<Change> {
    let lacking = || incomplete("dynamodb:GetRecords", "keys or sequence number");
    let record = record.dynamodb.ok_or_else(lacking)?;
    let sequence = record.sequence_number.ok_or_else(lacking)?;
    let image = |image| item(named(image)).map(|(_, item)| item);
    Ok(Change {
        place: Place { shard: shard.clone(), sequence: event::sequence(&sequence)? },
        key: item(named(record.keys.unwrap_or_default()))?.0.ok_or_else(lacking)?,
        old: record.old_image.map(image).transpose()?,
        new: record.new_image.map(image).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_read_after_its_parent_and_not_behind_its_end() {
        let shard = |id: &str, parent: Option<&str>| Shard {
            id: id.into(),
            parent: parent.map(Into::into),
        };
        // the first one's parent is trimmed; it was split into two, one of which goes on in another
        let shards = [
            shard("first", Some("trimmed")),
            shard("left", Some("first")),
            shard("right", Some("first")),
            shard("further", Some("left")),
        ];
        let open = |ended: &[&str]| {
            let ended = ended.iter().map(|id| Arc::from(*id)).collect();
            let open = super::open(&shards, &ended);
            open.into_iter().map(|shard| shard.id.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(open(&[]), ["first"]);
        assert_eq!(open(&["first"]), ["left", "right"]);
        assert_eq!(open(&["first", "left"]), ["right", "further"]);
        assert!(open(&["first", "left", "right", "further"]).is_empty());
    }
}
