//! A device wants to connect. Nothing can be sent from here; the device speaks first, with `hello`.

use api::{Connecting, Route};
use ports::Action;
use service::{App, Result, sessions};

pub(crate) fn route() -> Route {
    Route::connect("socket-connect", connect).uses(&[Action::GetRecords, Action::WriteRecords])
}

async fn connect(app: App, device: Connecting) -> Result<()> {
    sessions::connect(&app, &device.connection, &device.secret, &device.base).await
}
