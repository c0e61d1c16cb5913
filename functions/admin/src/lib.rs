//! The operator's: customers and their keys, and messages that failed.

mod create_customer;
mod create_key;
mod dead_letters;
mod list_customers;
mod list_keys;
mod redrive;
mod revoke_key;

use api::Route;

/// The functions of this area.
pub fn routes() -> Vec<Route> {
    vec![
        create_customer::route(),
        list_customers::route(),
        create_key::route(),
        list_keys::route(),
        revoke_key::route(),
        dead_letters::route(),
        redrive::route(),
    ]
}
