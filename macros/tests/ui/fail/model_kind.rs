use larder::objectmodel;

#[objectmodel]
async fn waits(x: f64) -> f64 {
    x
}

#[objectmodel]
unsafe fn unsound(x: f64) -> f64 {
    x
}

#[objectmodel]
extern "C" fn foreign(x: f64) -> f64 {
    x
}

#[objectmodel]
fn of_any_type<T>(x: T) -> T
where
    T: Clone,
{
    x
}

#[objectmodel]
fn of_any_lifetime<'a>(x: f64) -> f64 {
    x
}

#[objectmodel]
struct NoFunction;

fn main() {}
