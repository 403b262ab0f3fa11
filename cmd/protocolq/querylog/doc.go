// Package querylog is the commands that read the query log (list, show, stats, export), and forget.
package querylog
