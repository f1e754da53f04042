package api

import (
	"net/http"
	"regexp"
	"strings"

	"golang.org/x/text/language"
)

// languageRange is one element of Accept-Language: a basic language range (RFC 4647 section 2.1) with an optional weight.
var languageRange = regexp.MustCompile(`^(\*|[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*)([ \t]*;[ \t]*[qQ]=(0(\.[0-9]{0,3})?|1(\.0{0,3})?))?$`)

// AcceptLanguage refuses a header that is no list of language ranges. Unknown languages are fine: the answer is then in
// English, as it is without the header (reference 1.2).
func AcceptLanguage(r *http.Request) error {
	for _, value := range r.Header.Values("Accept-Language") {
		if strings.TrimSpace(value) == "" {
			continue
		}
		for part := range strings.SplitSeq(value, ",") {
			if !languageRange.MatchString(strings.TrimSpace(part)) {
				return &Refusal{Code: NotAcceptable, Key: "Accept-Language", Msg: "Accept-Language is not a list of language ranges"}
			}
		}
	}
	return nil
}

// The languages of user messages, in the order of their columns in userMessages. The first is for all others.
var userLanguages = language.NewMatcher([]language.Tag{language.English, language.German, language.Spanish, language.French})

// userMessage is a text for people about a code, in the language that suits best.
func userMessage(code Code, accept string) string {
	tags, _, err := language.ParseAcceptLanguage(accept)
	column := 0
	if err == nil && len(tags) > 0 {
		_, column, _ = userLanguages.Match(tags...)
	}
	texts, ok := userMessages[code]
	if !ok {
		texts = userMessages[InternalError]
	}
	return texts[column]
}

// userMessages says in plain words what went wrong, without naming members: users do not see requests.
var userMessages = map[Code][4]string{
	UnknownParameter:   {"The request has a parameter that is not supported.", "Die Anfrage hat einen Parameter, der nicht unterstützt wird.", "La solicitud tiene un parámetro no admitido.", "La requête contient un paramètre non pris en charge."},
	ParameterValue:     {"A parameter has a value that is not supported.", "Ein Parameter hat einen Wert, der nicht unterstützt wird.", "Un parámetro tiene un valor no admitido.", "Un paramètre a une valeur non prise en charge."},
	ParameterNumber:    {"A parameter must be a positive number.", "Ein Parameter muss eine positive Zahl sein.", "Un parámetro debe ser un número positivo.", "Un paramètre doit être un nombre positif."},
	PathParameter:      {"The address of the request is not valid.", "Die Adresse der Anfrage ist ungültig.", "La dirección de la solicitud no es válida.", "L'adresse de la requête n'est pas valide."},
	ParameterMissing:   {"A required parameter is missing.", "Ein erforderlicher Parameter fehlt.", "Falta un parámetro obligatorio.", "Un paramètre obligatoire est absent."},
	AttributeMissing:   {"A required value is missing.", "Eine erforderliche Angabe fehlt.", "Falta un dato obligatorio.", "Une donnée obligatoire est absente."},
	AttributeValue:     {"A value is not valid.", "Eine Angabe ist ungültig.", "Un dato no es válido.", "Une donnée n'est pas valide."},
	AttributeEnum:      {"A value is not one of those allowed.", "Eine Angabe gehört nicht zu den erlaubten.", "Un dato no está entre los permitidos.", "Une donnée ne fait pas partie des valeurs autorisées."},
	BodyMissing:        {"The request is empty.", "Die Anfrage ist leer.", "La solicitud está vacía.", "La requête est vide."},
	NameTaken:          {"The name is already in use.", "Der Name ist bereits vergeben.", "El nombre ya está en uso.", "Le nom est déjà utilisé."},
	BadReference:       {"Something the request refers to does not exist or does not fit.", "Etwas, worauf die Anfrage verweist, gibt es nicht, oder es passt nicht.", "Algo a lo que se refiere la solicitud no existe o no es adecuado.", "Un élément auquel la requête fait référence n'existe pas ou ne convient pas."},
	InUse:              {"This is still in use.", "Dies wird noch verwendet.", "Todavía está en uso.", "Cet élément est encore utilisé."},
	NoAccount:          {"Nobody can be reached at this address.", "Unter dieser Adresse ist niemand erreichbar.", "No hay nadie disponible en esta dirección.", "Personne n'est joignable à cette adresse."},
	Inactive:           {"This is switched off at the moment.", "Dies ist zurzeit abgeschaltet.", "Está desactivado en este momento.", "Cet élément est désactivé pour le moment."},
	TextTooLong:        {"The text is too long.", "Der Text ist zu lang.", "El texto es demasiado largo.", "Le texte est trop long."},
	AttachmentRefused:  {"This kind of file cannot be sent.", "Dateien dieser Art können nicht gesendet werden.", "No se puede enviar este tipo de archivo.", "Ce type de fichier ne peut pas être envoyé."},
	AttachmentTooLarge: {"The file is too large.", "Die Datei ist zu groß.", "El archivo es demasiado grande.", "Le fichier est trop volumineux."},
	FeatureRefused:     {"This cannot be sent here.", "Dies kann hier nicht gesendet werden.", "No se puede enviar aquí.", "Cela ne peut pas être envoyé ici."},
	BadAsset:           {"The file could not be used.", "Die Datei konnte nicht verwendet werden.", "No se pudo usar el archivo.", "Le fichier n'a pas pu être utilisé."},
	NoParent:           {"The message this refers to was not found.", "Die Nachricht, auf die dies verweist, wurde nicht gefunden.", "No se encontró el mensaje de referencia.", "Le message de référence est introuvable."},
	ConversationOver:   {"This conversation is over. Please start a new one.", "Diese Unterhaltung ist beendet. Bitte beginnen Sie eine neue.", "Esta conversación ha terminado. Inicie una nueva.", "Cette conversation est terminée. Veuillez en commencer une nouvelle."},
	TokenInvalid:       {"Please sign in again.", "Bitte melden Sie sich erneut an.", "Vuelva a iniciar sesión.", "Veuillez vous reconnecter."},
	NoAuthorization:    {"Please sign in.", "Bitte melden Sie sich an.", "Inicie sesión.", "Veuillez vous connecter."},
	ActorNotAllowed:    {"You may not do this.", "Sie dürfen dies nicht tun.", "No puede hacer esto.", "Vous n'êtes pas autorisé à faire cela."},
	ScopeLacking:       {"You do not have the permission for this.", "Dafür fehlt Ihnen die Berechtigung.", "No tiene permiso para esto.", "Vous n'avez pas l'autorisation nécessaire."},
	TypeNotAllowed:     {"This kind of message may not be sent here.", "Diese Art Nachricht darf hier nicht gesendet werden.", "Este tipo de mensaje no puede enviarse aquí.", "Ce type de message ne peut pas être envoyé ici."},
	AssetInUse:         {"The file is part of a message and cannot be deleted.", "Die Datei gehört zu einer Nachricht und kann nicht gelöscht werden.", "El archivo forma parte de un mensaje y no se puede eliminar.", "Le fichier fait partie d'un message et ne peut pas être supprimé."},
	NotParty:           {"You do not take part in this conversation.", "Sie nehmen an dieser Unterhaltung nicht teil.", "Usted no participa en esta conversación.", "Vous ne participez pas à cette conversation."},
	Unknown:            {"This was not found.", "Dies wurde nicht gefunden.", "No se encontró.", "Élément introuvable."},
	MethodNotAllowed:   {"This is not possible here.", "Dies ist hier nicht möglich.", "Esto no es posible aquí.", "Cela n'est pas possible ici."},
	NotAcceptable:      {"The language of the request is not valid.", "Die Sprache der Anfrage ist ungültig.", "El idioma de la solicitud no es válido.", "La langue de la requête n'est pas valide."},
	Conflict:           {"This was changed by somebody else. Please try again.", "Dies wurde von jemand anderem geändert. Bitte versuchen Sie es erneut.", "Otra persona lo ha modificado. Inténtelo de nuevo.", "Cet élément a été modifié entre-temps. Veuillez réessayer."},
	TooMany:            {"Too much is going on. Please try again shortly.", "Zurzeit ist zu viel los. Bitte versuchen Sie es gleich noch einmal.", "Hay demasiada actividad. Inténtelo de nuevo en breve.", "Trop de demandes. Veuillez réessayer dans un instant."},
	InternalError:      {"Something went wrong. Please try again.", "Etwas ist schiefgegangen. Bitte versuchen Sie es erneut.", "Algo ha fallado. Inténtelo de nuevo.", "Une erreur s'est produite. Veuillez réessayer."},
}
