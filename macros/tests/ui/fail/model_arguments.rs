use larder::objectmodel;

#[objectmodel]
fn borrows(name: &str, numbers: &[f64]) -> usize {
    name.len() + numbers.len()
}

#[objectmodel]
fn takes_apart((x, y): (f64, f64), _: f64) -> f64 {
    x + y
}

#[objectmodel]
fn of_some_type(numbers: impl Iterator<Item = f64>) -> f64 {
    numbers.sum()
}

struct Holder;

impl Holder {
    #[objectmodel]
    fn method(&self, x: f64) -> f64 {
        x
    }
}

fn main() {}
