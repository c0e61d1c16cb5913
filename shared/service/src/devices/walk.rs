//! The devices that a customer can use, in their order: its own by id, then everyone's that are not
//! its own.

use domain::{device::Device, fleet::EVERYONE};
use ports::{Item, Order, Query};
use serde::{Deserialize, Serialize};

use crate::{App, Error, Result, table};

/// How many devices are read at a time.
const STEP: usize = 100;

/// The row by which everyone finds a shared device.
#[derive(Serialize, Deserialize)]
pub(crate) struct Shared {
    /// Its owner, in whose own list it is too.
    pub(crate) customer: String,
}

/// One of the two lists.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Own,
    Shared,
}

/// What continues a walk behind a device.
pub(super) fn cursor(list: List, id: &str) -> String {
    match list {
        List::Own => format!("o{id}"),
        List::Shared => format!("s{id}"),
    }
}

/// A walk over both lists.
pub(super) struct Walk<'a> {
    app: &'a App,
    customer: &'a str,
    /// The list that is next, and behind which of its devices; `None` at the end.
    next: Option<(List, Option<String>)>,
}

impl<'a> Walk<'a> {
    /// A walk from the beginning, or from where a cursor says.
    pub(super) fn new(app: &'a App, customer: &'a str, cursor: Option<&str>) -> Result<Self> {
        let next = match cursor.map(|cursor| cursor.split_at_checked(1)) {
            None => (List::Own, None),
            Some(Some(("o", id))) => (List::Own, Some(id.to_owned())),
            Some(Some(("s", id))) => (List::Shared, Some(id.to_owned())),
            Some(_) => {
                return Err(Error::invalid("cursor", "take it from `next_cursor` of a page"));
            }
        };
        Ok(Self { app, customer, next: Some(next) })
    }

    /// Some more devices of one list; `None` at the end.
    pub(super) async fn devices(&mut self) -> Result<Option<(List, Vec<Device>)>> {
        let records = &*self.app.ports.records;
        let Some((list, after)) = self.next.take() else { return Ok(None) };
        let scope = match list {
            List::Own => self.customer,
            List::Shared => EVERYONE,
        };
        let owner = table::owner(scope);
        let (rows, next) =
            table::page(records, owner, "DEV#", after.as_deref(), STEP, Order::Ascending).await?;
        self.next = match (next, list) {
            (Some(next), list) => Some((list, Some(next))),
            (None, List::Own) => Some((List::Shared, None)),
            (None, List::Shared) => None,
        };
        let keys: Vec<_> = rows
            .iter()
            .filter(|(_, row)| list == List::Own || !is_own(row, self.customer))
            .map(|(id, _)| table::device(id))
            .collect();
        let items = records.batch_get(&keys).await?;
        let devices =
            keys.iter().zip(items).filter_map(|(key, item)| table::readable(key, &item?)).collect();
        Ok(Some((list, devices)))
    }
}

/// Whether a row of everyone's list is in the customer's own too.
fn is_own(row: &Item, customer: &str) -> bool {
    row.decode().is_ok_and(|row: Shared| row.customer == customer)
}

/// How many devices both lists have together.
pub(super) async fn count(app: &App, customer: &str) -> Result<u64> {
    let records = &*app.ports.records;
    let mut total = table::count(records, &table::owner(customer), "DEV#").await?;
    let mut query = Query::new(table::owner(EVERYONE), "DEV#", 1000);
    loop {
        let page = records.query(query.clone()).await?;
        let others = page.items.iter().filter(|(_, row)| !is_own(row, customer));
        total += others.count() as u64;
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(total),
        }
    }
}
