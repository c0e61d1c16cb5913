//! Why DynamoDB did not write: what it says of conditions and collisions, by write and by transaction.

use aws_sdk_dynamodb::{
    operation::{
        delete_item::DeleteItemError, put_item::PutItemError, update_item::UpdateItemError,
    },
    types::error::{ConditionalCheckFailedException, TransactionCanceledException},
};
use ports::Error;

use super::item;
use crate::attributes::Attributes;

/// What a condition found, and what else came in the way of one write.
pub(super) enum Judgement<'a> {
    Failed(Option<&'a Attributes>),
    Conflict,
    Other,
}

/// The errors of the three writes, which say the same.
pub(super) trait Judged {
    fn judged(&self) -> Judgement<'_>;
}

macro_rules! judged {
    ($($error:ident)+) => {$(
        impl Judged for $error {
            fn judged(&self) -> Judgement<'_> {
                match self {
                    Self::ConditionalCheckFailedException(ConditionalCheckFailedException {
                        item,
                        ..
                    }) => Judgement::Failed(item.as_ref()),
                    Self::TransactionConflictException(_) => Judgement::Conflict,
                    _ => Judgement::Other,
                }
            }
        }
    )+};
}

judged!(PutItemError UpdateItemError DeleteItemError);

/// Why a transaction was cancelled.
pub(super) enum Cancellation<'a> {
    Failed(Option<&'a Attributes>),
    Invalid(String),
    /// It collided, or there was no capacity.
    Other,
}

/// One reason for each write, in order, most of them `None`.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>
pub(super) fn cancellation(cancelled: &TransactionCanceledException) -> Cancellation<'_> {
    for reason in cancelled.cancellation_reasons() {
        match reason.code() {
            Some("ConditionalCheckFailed") => return Cancellation::Failed(reason.item()),
            Some("ValidationError" | "ItemCollectionSizeLimitExceeded") => {
                let why = reason.message().unwrap_or("a write of the transaction is malformed");
                return Cancellation::Invalid(why.to_owned());
            }
            _ => {}
        }
    }
    Cancellation::Other
}

/// A condition that did not hold, of the item as it was.
pub(super) fn failed(old: Option<&Attributes>) -> Error {
    // an answer without the item comes with no attributes at all
    match old.filter(|old| !old.is_empty()).map(|old| item(old.clone())) {
        None => Error::ConditionFailed(None),
        Some(Ok((_, item))) => Error::ConditionFailed(Some(item)),
        Some(Err(error)) => error,
    }
}
