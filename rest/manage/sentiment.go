package manage

import (
	"math"
	"sync"

	"github.com/jonreiter/govader"
)

// A sentiment is how a message sounds, by the words of VADER's English lexicon: a text in another language is neutral.
type sentiment struct {
	Polarity struct {
		Score float64 `json:"score"` // -1 to 1
	} `json:"polarity"`
	Suggested string `json:"suggested"` // "positive", "neutral" or "negative"
}

// analyzer reads its lexicon when it is first asked for. It is only read after that.
var analyzer = sync.OnceValue(govader.NewSentimentIntensityAnalyzer)

// plainly is from where on a score is not neutral, on either side.
const plainly = 0.3

func sentimentOf(text string) *sentiment {
	s := &sentiment{Suggested: "neutral"}
	s.Polarity.Score = math.Round(analyzer().PolarityScores(text).Compound*1000) / 1000
	switch {
	case s.Polarity.Score >= plainly:
		s.Suggested = "positive"
	case s.Polarity.Score <= -plainly:
		s.Suggested = "negative"
	}
	return s
}
