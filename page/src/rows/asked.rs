//! What a browser asks of the rows of a collection.

use larder_collections::{CollectionVersion, Cursor, Filter, Find, Fold, Order, Scan, Schema};
use larder_core::store::VersionNumber;
use larder_core::{Error, Identifier};
use larder_server::extend::Failure;

use super::handles::number;
use crate::query::{Parameters, url};
use crate::view::plain;

/// Rows on a page: by default, and choices.
const ROWS: u64 = 25;
pub(super) const CHOICES: [u64; 4] = [10, ROWS, 50, 100];
/// The maximum number of columns on a page, unless some are asked for.
pub(super) const MOST_COLUMNS: usize = 40;

/// The fields of the form above the rows, as they were typed.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// The version; the newest if it is empty.
    pub(super) version: String,
    pub(super) filter: String,
    pub(super) fold: String,
    pub(super) order: String,
    pub(super) columns: String,
    pub(super) limit: u64,
    pub(super) after: String,
}

/// Why a field of the form cannot be used.
#[derive(Debug, Clone, Default)]
pub(super) struct Faults {
    pub(super) filter: Option<String>,
    pub(super) order: Option<String>,
    pub(super) columns: Option<String>,
}

impl Faults {
    pub(super) fn is_none(&self) -> bool {
        self.filter.is_none() && self.order.is_none() && self.columns.is_none()
    }
}

impl Asked {
    pub(super) fn of(parameters: &Parameters) -> Self {
        let text = |name| parameters.get(name).to_owned();
        let limit = parameters.get("limit").parse().unwrap_or(ROWS);
        Self {
            version: text("version"),
            filter: text("where"),
            fold: text("fold"),
            order: text("order"),
            columns: text("fields"),
            limit: limit.clamp(1, CHOICES[CHOICES.len() - 1]),
            after: text("after"),
        }
    }

    pub(super) fn number(&self) -> Result<Option<VersionNumber>, Failure> {
        number(&self.version)
    }

    pub(super) fn cursor(&self) -> Result<Option<Cursor>, Failure> {
        match &*self.after {
            "" => Ok(None),
            text => Ok(Some(text.parse()?)),
        }
    }

    /// True if not all rows of the newest version are asked for in their own order.
    pub(super) fn is_filtered(&self) -> bool {
        [&self.filter, &self.fold, &self.order, &self.columns].iter().any(|it| !it.is_empty())
    }

    /// The fields to show, and how many are left out.
    pub(super) fn columns(&self, schema: &Schema) -> (Vec<String>, usize) {
        let names = schema.fields().iter().map(|field| &field.name);
        match &*self.columns {
            "" => {
                let shown = names.take(MOST_COLUMNS).cloned().collect();
                (shown, schema.fields().len().saturating_sub(MOST_COLUMNS))
            }
            // A name may hold a comma: the whole text may be one.
            text if schema.field(text).is_ok() => (vec![text.to_owned()], 0),
            text => (text.split(',').map(|name| name.trim().to_owned()).collect(), 0),
        }
    }

    /// Builds the search of a version, with the reason for each field of the form that cannot be used.
    pub(super) fn find(&self, version: &CollectionVersion) -> Result<(Find, Faults), Failure> {
        let schema = version.schema();
        let mut faults = Faults::default();
        let (columns, _) = self.columns(schema);
        let unknown = columns.iter().find_map(|name| schema.position(name).err());
        faults.columns = unknown.as_ref().map(reason);
        let mut scan = Scan::new().columns(columns);
        if let Some(fold) = self.fold()? {
            scan = scan.fold(fold);
        }
        match self.filter() {
            // A scan that is not read says whether the fields are there, and of the types that it compares with.
            Ok(Some(filter)) => match version.scan(&Scan::new().filter(filter.clone())) {
                Ok(_) => scan = scan.filter(filter),
                Err(error @ Error::InvalidName { .. }) => faults.filter = Some(reason(&error)),
                Err(error) => return Err(error.into()),
            },
            Ok(None) => {}
            Err(reason) => faults.filter = Some(reason),
        }
        let mut find = Find::new(scan).limit(self.limit);
        if !self.order.is_empty() {
            let order = self.order.parse::<Order>();
            match order.and_then(|order| known(order, schema)) {
                Ok(order) => find = find.order(order),
                Err(error) => faults.order = Some(reason(&error)),
            }
        }
        Ok((find, faults))
    }

    pub(super) fn filter(&self) -> Result<Option<Filter>, String> {
        match &*self.filter {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|error| reason(&error)),
        }
    }

    pub(super) fn fold(&self) -> Result<Option<Fold>, Failure> {
        match &*self.fold {
            "" => Ok(None),
            text => Ok(Some(text.parse()?)),
        }
    }

    /// The same rows after a page, or from the first.
    pub(super) fn url(&self, name: &Identifier, after: &str) -> String {
        let limit = if self.limit == ROWS { String::new() } else { self.limit.to_string() };
        let parameters = [
            ("version", &*self.version),
            ("where", &self.filter),
            ("fold", &self.fold),
            ("order", &self.order),
            ("fields", &self.columns),
            ("limit", &limit),
            ("after", after),
        ];
        url(&format!("/ui/collection/{name}"), &parameters)
    }
}

fn reason(error: &Error) -> String {
    plain(&error.to_string())
}

/// Refuses to sort by a field that is not there, or whose values have no order.
fn known(order: Order, schema: &Schema) -> Result<Order, Error> {
    let kind = &schema.field(&order.field)?.kind;
    match kind.arrow().is_nested() {
        true => {
            let reason = format!("rows are not sorted by a {kind}");
            Err(Error::invalid("order", &order.field, reason))
        }
        false => Ok(order),
    }
}
