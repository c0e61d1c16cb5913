//! Walking through the shards of a stream.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html>

use std::sync::Arc;

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
    /// Nothing is added any more.
    pub(super) is_closed: bool,
}

/// How far one call has walked in a shard.
#[derive(Default)]
pub(super) struct Walk {
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
        let iterator = match walk.iterator.take() {
            Some(iterator) => iterator,
            None => self.iterator(&shard.id, place).await?,
        };
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

fn described(shard: Described) -> Option<Shard> {
    let range = shard.sequence_number_range;
    Some(Shard {
        id: shard.shard_id?.into(),
        parent: shard.parent_shard_id.map(Into::into),
        is_closed: range.is_some_and(|range| range.ending_sequence_number.is_some()),
    })
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
