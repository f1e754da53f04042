package main

import (
	"errors"
	"net/url"
)

// webURL wants an absolute http or https URL.
func webURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("give an absolute http or https URL")
	}
	return nil
}
