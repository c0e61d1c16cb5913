//! A device leaves because its owner wants it to: it finishes what it has and gets nothing new.

use domain::device::Device;
use ports::Error as PortError;
use protocol::{
    rest::devices as rest,
    socket::{self, Drain},
};

use super::{get, owned};
use crate::{App, Error, Result, sessions};

/// Drains a device of the customer's own, for as long as its session lasts; again does no harm. What
/// is not there needs no draining.
///
/// # Errors
/// `Forbidden` for somebody else's device, `Conflict` for the platform's own.
pub async fn drain(app: &App, customer: &str, id: &str) -> Result<rest::Device> {
    let device = owned(app, customer, id).await?;
    if !sessions::mark_leaving(app, id, &device.session).await? {
        let message = "the device connected again at this moment; try again";
        return Err(Error::Conflict(message.to_owned()));
    }
    if device.is_present() {
        tell_to_leave(app, &device).await?;
    }
    get(app, customer, id).await
}

/// Says so to the device. One that is gone hears it when it resumes its session.
pub(crate) async fn tell_to_leave(app: &App, device: &Device) -> Result<()> {
    let drain = Drain { reason: "drained by its owner".to_owned() };
    match app.ports.sockets.send(&device.connection, socket::encode(&drain)).await {
        Err(PortError::Gone) => sessions::found_gone(app, &device.id, &device.connection).await,
        sent => Ok(sent?),
    }
}
