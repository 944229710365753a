//! Collections: their rows page by page, with the outputs of models beside them and previews of images; their fields, changes and
//! models; and search by meaning.
//!
//! Rows need `read` on the name of the collection. Outputs, listeners and indexes are names of their own, and left out unless the user
//! may read them too. A search that runs a model needs `predict` on that model.

mod asked;
mod cell;
mod changes;
mod handles;
mod known;
mod list;
mod media;
mod models;
mod near;
mod searches;
mod shape;
mod show;
mod table;

use larder_server::extend::Route;

pub(crate) use known::{has, refresh};

/// The routes of the screens.
pub(crate) fn routes() -> Vec<Route> {
    [
        changes::routes(),
        list::routes(),
        media::routes(),
        models::routes(),
        near::routes(),
        shape::routes(),
        show::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
