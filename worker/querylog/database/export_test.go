// What only the tests look at: the buckets of times.

package database

var (
	BucketOf    = bucketOf
	BucketStart = bucketStart
)
