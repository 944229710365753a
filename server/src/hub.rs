pub(crate) fn routes() -> Vec<crate::route::Route> {
    Vec::new()
}
